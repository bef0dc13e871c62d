/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/client/yaml_in.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "ctrl/client/yaml_scalar.h"

struct reader {
	yaml_parser_t parser;
	const char *name; /* of the file, for messages */
	char *why;
	size_t why_len;
};

static json_t *read_node(struct reader *r, const yaml_event_t *first, struct yaml_place *place,
			 unsigned int depth);

/* The first reason stands. Always NULL, for `return`. */
__attribute__((format(printf, 3, 4))) static json_t *refuse(struct reader *r, size_t line,
							    const char *format, ...)
{
	va_list args;
	int n;

	if (r->why[0])
		return NULL;
	n = snprintf(r->why, r->why_len, "%s:%zu: ", r->name, line + 1);
	va_start(args, format);
	if (n > 0 && (size_t)n < r->why_len)
		vsnprintf(r->why + n, r->why_len - (size_t)n, format, args);
	va_end(args);
	return NULL;
}

static bool next_event(struct reader *r, yaml_event_t *event)
{
	const yaml_parser_t *p = &r->parser;

	if (yaml_parser_parse(&r->parser, event))
		return true;
	refuse(r, p->problem_mark.line, "%s", p->problem ? p->problem : "out of memory");
	return false;
}

static struct yaml_place *add_place(struct yaml_place *parent)
{
	unsigned int n = parent->n_children;

	/* Room doubles when it is full, which is when n is a power of two. */
	if ((n & (n - 1)) == 0) {
		size_t room = n ? (size_t)n * 2 : 1;
		struct yaml_place *child = realloc(parent->child, room * sizeof(*child));

		if (!child)
			return NULL;
		parent->child = child;
	}
	memset(&parent->child[n], 0, sizeof(parent->child[n]));
	parent->n_children++;
	return &parent->child[n];
}

static json_t *read_scalar(struct reader *r, const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;
	size_t len = e->data.scalar.length;
	json_t *value;

	if (e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		value = yaml_scalar_plain(text, len);
	else
		value = json_stringn(text, len);
	return value ? value : refuse(r, e->start_mark.line, "'%.40s' is out of range", text);
}

/* A value that stands in a collection: its place is added, then it is read. */
static json_t *read_child(struct reader *r, const yaml_event_t *first, struct yaml_place *parent,
			  unsigned int depth)
{
	struct yaml_place *place = add_place(parent);

	if (!place)
		return refuse(r, first->start_mark.line, "out of memory");
	return read_node(r, first, place, depth);
}

static bool read_element(struct reader *r, const yaml_event_t *first, json_t *array,
			 struct yaml_place *place, unsigned int depth)
{
	json_t *value = read_child(r, first, place, depth);

	return value && json_array_append_new(array, value) == 0;
}

static bool read_member(struct reader *r, const yaml_event_t *key, json_t *object,
			struct yaml_place *place, unsigned int depth)
{
	const char *name = (const char *)key->data.scalar.value;
	size_t line = key->start_mark.line;
	yaml_event_t first;
	json_t *value;

	if (key->type != YAML_SCALAR_EVENT) {
		refuse(r, line, "a key has to be a plain word");
		return false;
	}
	if (strlen(name) != key->data.scalar.length || key->data.scalar.anchor ||
	    key->data.scalar.tag) {
		refuse(r, line, "a key with a NUL, an anchor or a tag");
		return false;
	}
	if (json_object_get(object, name)) {
		refuse(r, line, "key '%s' is there twice", name);
		return false;
	}
	if (!next_event(r, &first))
		return false;
	value = read_child(r, &first, place, depth);
	yaml_event_delete(&first);
	if (!value)
		return false;
	if (json_object_set_new(object, name, value) == 0)
		return true;
	refuse(r, line, "key '%s' is not UTF-8", name);
	return false;
}

/* A mapping or a sequence, up to its end. */
static json_t *read_collection(struct reader *r, bool mapping, struct yaml_place *place,
			       unsigned int depth)
{
	yaml_event_type_t end = mapping ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
	json_t *all = mapping ? json_object() : json_array();
	bool more = true;

	while (all && more) {
		yaml_event_t e;
		bool good = next_event(r, &e);

		if (good && e.type == end)
			more = false;
		else if (good && mapping)
			good = read_member(r, &e, all, place, depth);
		else if (good)
			good = read_element(r, &e, all, place, depth);
		if (good || r->parser.error == YAML_NO_ERROR)
			yaml_event_delete(&e);
		if (!good) {
			json_decref(all);
			all = NULL;
		}
	}
	return all;
}

static json_t *read_node(struct reader *r, const yaml_event_t *first, struct yaml_place *place,
			 unsigned int depth)
{
	size_t line = first->start_mark.line;
	const yaml_char_t *anchor = NULL, *tag = NULL;

	place->line = (unsigned int)line + 1;
	if (depth > YAML_DEPTH_MAX)
		return refuse(r, line, "nested deeper than %d", YAML_DEPTH_MAX);
	switch (first->type) {
	case YAML_SCALAR_EVENT:
		anchor = first->data.scalar.anchor;
		tag = first->data.scalar.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = first->data.mapping_start.anchor;
		tag = first->data.mapping_start.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = first->data.sequence_start.anchor;
		tag = first->data.sequence_start.tag;
		break;
	default: return refuse(r, line, "an alias (*): write the value out");
	}
	if (anchor || tag)
		return refuse(r, line, "%s: not taken here",
			      anchor ? "an anchor (&)" : "a tag (!)");
	if (first->type == YAML_SCALAR_EVENT)
		return read_scalar(r, first);
	return read_collection(r, first->type == YAML_MAPPING_START_EVENT, place, depth + 1);
}

/* Expect an event of this kind and drop it. */
static bool pass(struct reader *r, yaml_event_type_t type, const char *otherwise)
{
	yaml_event_t e;
	bool good;

	if (!next_event(r, &e))
		return false;
	good = e.type == type;
	if (!good)
		refuse(r, e.start_mark.line, "%s", otherwise);
	yaml_event_delete(&e);
	return good;
}

static json_t *read_document(struct reader *r, struct yaml_place *places)
{
	json_t *value = NULL;
	yaml_event_t e;

	if (!pass(r, YAML_STREAM_START_EVENT, "not a YAML stream") ||
	    !pass(r, YAML_DOCUMENT_START_EVENT, "the file is empty"))
		return NULL;
	if (next_event(r, &e)) {
		value = read_node(r, &e, places, 0);
		yaml_event_delete(&e);
	}
	if (value && pass(r, YAML_DOCUMENT_END_EVENT, "unexpected content") &&
	    pass(r, YAML_STREAM_END_EVENT, "a second document: one is taken"))
		return value;
	json_decref(value);
	return NULL;
}

/* The whole file, NULL with errno when it can't be read or is too big. */
static char *slurp(const char *path, size_t *len)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char *data = NULL;
	size_t size = 0;
	int err = 0;

	*len = 0;
	while (f && err == 0 && !feof(f)) {
		if (*len == size) {
			char *more = size < YAML_FILE_MAX ? realloc(data, size + 65536) : NULL;

			err = more ? 0 : size < YAML_FILE_MAX ? ENOMEM : EFBIG;
			data = more ? more : data;
			size += 65536;
		}
		if (err == 0)
			*len += fread(data + *len, 1, size - *len, f);
		if (err == 0 && ferror(f))
			err = errno ? errno : EIO;
	}
	if (f && f != stdin)
		fclose(f);
	if (f && err == 0)
		return data;
	free(data);
	if (f)
		errno = err;
	return NULL;
}

json_t *yaml_load(const char *path, struct yaml_place *places, char *why, size_t why_len)
{
	struct reader r = {.why = why, .why_len = why_len};
	json_t *value = NULL;
	size_t len;
	char *data;

	memset(places, 0, sizeof(*places));
	why[0] = '\0';
	r.name = strcmp(path, "-") == 0 ? "standard input" : path;
	data = slurp(path, &len);
	if (!data) {
		snprintf(why, why_len, "%s: %s", r.name, strerror(errno));
		return NULL;
	}
	if (yaml_parser_initialize(&r.parser)) {
		yaml_parser_set_input_string(&r.parser, (const unsigned char *)data, len);
		value = read_document(&r, places);
		yaml_parser_delete(&r.parser);
	}
	if (!value) {
		refuse(&r, 0, "out of memory");
		yaml_places_free(places);
	}
	free(data);
	return value;
}

void yaml_places_free(struct yaml_place *places)
{
	for (unsigned int i = 0; i < places->n_children; i++)
		yaml_places_free(&places->child[i]);
	free(places->child);
	memset(places, 0, sizeof(*places));
}
