/* SPDX-License-Identifier: BSD-3-Clause */
/* From a path in a server's message to the line of the file. */
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/client/yaml_in.h"

/* virtualServers and virtual_servers are the same field. */
static bool same_field(const char *key, const char *word, size_t word_len)
{
	const char *end = word + word_len;

	while (*key && word < end) {
		if (*key == '_') {
			key++;
			continue;
		}
		if (*word == '_') {
			word++;
			continue;
		}
		if (tolower((unsigned char)*key++) != tolower((unsigned char)*word++))
			return false;
	}
	return !*key && word == end;
}

static bool has_name(json_t *element, const char *word, size_t len)
{
	const char *name = json_string_value(json_object_get(element, "name"));

	return name && strlen(name) == len && memcmp(name, word, len) == 0;
}

/* The number of the member or element that a word of the path names; -1 none. */
static long find(json_t *value, const char *word, size_t len)
{
	long i = 0;

	if (json_is_object(value)) {
		const char *key;
		json_t *member;

		json_object_foreach (value, key, member) {
			if (same_field(key, word, len))
				return i;
			i++;
		}
		return -1;
	}
	if (len > 0 && strspn(word, "0123456789") >= len) {
		i = strtol(word, NULL, 10);
		return i >= 0 && (size_t)i < json_array_size(value) ? i : -1;
	}
	for (; (size_t)i < json_array_size(value); i++)
		if (has_name(json_array_get(value, (size_t)i), word, len))
			return i;
	return -1;
}

static json_t *child_at(json_t *value, long n)
{
	void *iter;

	if (json_is_array(value))
		return json_array_get(value, (size_t)n);
	iter = json_object_iter(value);
	while (n-- > 0)
		iter = json_object_iter_next(value, iter);
	return json_object_iter_value(iter);
}

/* `... has no field "NAME"` is about that member of the value; else `line`. */
static unsigned int line_of_unknown(const struct yaml_place *place, json_t *value, const char *text,
				    unsigned int line)
{
	static const char words[] = "has no field \"";
	const char *name = strstr(text, words);
	unsigned int i = 0;
	const char *key;
	json_t *member;

	if (!name || !json_is_object(value))
		return line;
	name += strlen(words);
	json_object_foreach (value, key, member) {
		if (strcspn(name, "\"") == strlen(key) && strncmp(name, key, strlen(key)) == 0 &&
		    i < place->n_children)
			return place->child[i].line;
		i++;
	}
	return line;
}

unsigned int yaml_line_of(const struct yaml_place *place, json_t *value, const char *message)
{
	const char *end = strstr(message, ": ");
	const char *word = message;
	unsigned int line = 0;

	while (end && word < end) {
		size_t len = strcspn(word, ".[]:");
		long n = find(value, word, len);
		bool found = n >= 0 && (unsigned long)n < place->n_children;

		if (found) {
			value = child_at(value, n);
			place = &place->child[n];
			line = place->line;
		} else if (line) {
			break; /* it isn't in the file: the value around it is */
		}
		/* Words before the first that is found say which resource the file holds. */
		word += len;
		word += strspn(word, ".[]");
		if (*word == ':')
			break;
	}
	return line_of_unknown(place, value, end ? end : message, line);
}
