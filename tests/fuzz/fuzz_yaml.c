/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files of `sluicectl apply`. The first line stands for a server's message whose path is looked up
 * in the rest, which is the file. What is read must be the same after it was printed, if it has
 * the form of what servers say: printing takes that for granted (yaml_out.h).
 */
#include "tests/fuzz/lib/fuzz.h"

#include <stdbool.h>

#include "ctrl/client/yaml_in.h"
#include "ctrl/client/yaml_out.h"

static void check_places(const struct yaml_place *place, const json_t *value, unsigned int lines)
{
	size_t n = json_is_array(value) ? json_array_size(value) : json_object_size(value);

	FUZZ_CHECK(place->line >= 1 && place->line <= lines, "line %u of %u", place->line, lines);
	FUZZ_CHECK(place->n_children == n, "%u places for %zu values", place->n_children, n);
	if (json_is_array(value))
		for (size_t i = 0; i < n; i++)
			check_places(&place->child[i], json_array_get(value, i), lines);
}

#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER "abcdefghijklmnopqrstuvwxyz0123456789_"

/* Nothing that would be printed in other words: upper case, fractions, NUL. */
static bool is_plain(json_t *value)
{
	const char *key, *text = json_string_value(value);
	json_t *member;
	size_t i;

	if (text)
		return strlen(text) == json_string_length(value) && !strpbrk(text, UPPER);
	json_object_foreach (value, key, member)
		if (strlen(key) > 60 || key[strspn(key, LOWER)] || !is_plain(member))
			return false;
	json_array_foreach (value, i, member)
		if (!is_plain(member))
			return false;
	return !json_is_real(value);
}

static void check_printed(json_t *value)
{
	struct yaml_place places;
	char why[512], *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	json_t *again;

	FUZZ_CHECK(out && !yaml_print(out, value) && !fclose(out), "cannot be printed");
	fuzz_file_set(1, text, len);
	again = yaml_load(fuzz_file(1), &places, why, sizeof(why));
	FUZZ_CHECK(again, "what was printed is refused: %s\n%s", why, text);
	FUZZ_CHECK(json_equal(value, again), "what was printed is something else:\n%s", text);
	yaml_places_free(&places);
	json_decref(again);
	free(text);
}

static void check_lookup(const struct yaml_place *places, json_t *value, const uint8_t *data,
			 size_t len, unsigned int lines)
{
	char *message = strndup((const char *)data, len);
	unsigned int line;

	FUZZ_CHECK(message, "memory");
	line = yaml_line_of(places, value, message);
	FUZZ_CHECK(line <= lines, "line %u of %u", line, lines);
	free(message);
}

/* Line breaks of YAML: also CR, NEL, LS and PS, so bytes are the safe bound. */
static unsigned int max_lines(size_t len)
{
	return (unsigned int)len + 1;
}

/* The library's scanner loses a few bytes over some errors. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libyaml";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *text = len ? memchr(data, '\n', len) : NULL;
	size_t head = text ? (size_t)(text - data) : 0;
	struct yaml_place places;
	char why[512];
	json_t *value;

	if (!text)
		return 0;
	text++;
	len -= head + 1;
	fuzz_file_set(0, text, len);
	value = yaml_load(fuzz_file(0), &places, why, sizeof(why));
	if (value) {
		check_places(&places, value, max_lines(len));
		check_lookup(&places, value, data, head, max_lines(len));
		if (is_plain(value))
			check_printed(value);
		yaml_places_free(&places);
		json_decref(value);
	} else {
		FUZZ_CHECK(!strncmp(why, fuzz_file(0), strlen(fuzz_file(0))),
			   "refused without a place: %s", why);
	}
	return 0;
}
