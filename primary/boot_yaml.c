/* SPDX-License-Identifier: BSD-3-Clause */
#include <sluice/boot_yaml.h>

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <yaml.h>

#define MAX_FILE (1 << 20)

struct reader {
	const char *path;
	yaml_document_t document;
	char *why;
	size_t why_len;
};

static int fail(struct reader *r, unsigned int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static int fail(struct reader *r, unsigned int line, const char *format, ...)
{
	int n = snprintf(r->why, r->why_len, "%s:%u: ", r->path, line);
	va_list list;

	if (n >= 0 && (size_t)n < r->why_len) {
		va_start(list, format);
		vsnprintf(r->why + n, r->why_len - n, format, list);
		va_end(list);
	}
	return -EINVAL;
}

static unsigned int line_of(const yaml_node_t *node)
{
	return node->start_mark.line + 1;
}

static const char *text_of(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

/* A scalar without a NUL inside. */
static bool is_scalar(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE && strlen(text_of(node)) == node->data.scalar.length;
}

/* Digits only, at most `max`; *rest is what follows them. */
static bool parse_digits(const char *s, uint64_t max, uint64_t *value, const char **rest)
{
	*value = 0;
	if (!isdigit((unsigned char)*s))
		return false;
	for (; isdigit((unsigned char)*s); s++) {
		uint64_t digit = *s - '0';

		if (*value > (max - digit) / 10 || digit > max)
			return false;
		*value = *value * 10 + digit;
	}
	*rest = s;
	return true;
}

static int read_number(struct reader *r, const struct sl_boot_key *k, const yaml_node_t *node,
		       void *out)
{
	bool power = k->kind == SL_BOOT_POWER;
	const char *rest = "";
	uint64_t v;

	if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE ||
	    !parse_digits(text_of(node), UINT32_MAX, &v, &rest) || *rest || v < k->min ||
	    v > k->max || (power && (v & (v - 1))))
		return fail(r, line_of(node), "%s: '%s' is not %s from %" PRIu64 " to %" PRIu64,
			    k->name, text_of(node), power ? "a power of two" : "a whole number",
			    k->min, k->max);
	*(uint32_t *)out = v;
	return 0;
}

static int read_size(struct reader *r, const struct sl_boot_key *k, const yaml_node_t *node,
		     void *out)
{
	static const struct {
		const char *name;
		unsigned int shift;
	} units[] = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
	const char *rest;
	uint64_t v;

	if (!parse_digits(text_of(node), k->max, &v, &rest))
		return fail(r, line_of(node),
			    "%s: '%s' is not a size such as 4MiB, at most %" PRIu64 "MiB", k->name,
			    text_of(node), k->max >> 20);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(rest, units[i].name))
			continue;
		if (v > k->max >> units[i].shift || v << units[i].shift < k->min)
			return fail(r, line_of(node),
				    "%s: '%s' is not between %" PRIu64 "KiB and %" PRIu64 "KiB",
				    k->name, text_of(node), k->min >> 10, k->max >> 10);
		*(uint64_t *)out = v << units[i].shift;
		return 0;
	}
	return fail(r, line_of(node), "%s: '%s' needs a unit: KiB, MiB or GiB", k->name,
		    text_of(node));
}

static int read_time(struct reader *r, const struct sl_boot_key *k, const yaml_node_t *node,
		     void *out)
{
	const char *text = text_of(node), *rest = "";
	bool off = !strcmp(text, "off") || !strcmp(text, "0");
	uint64_t v = 0;

	if (!off && parse_digits(text, k->max, &v, &rest) && !strcmp(rest, "s"))
		v *= 1000;
	else if (!off && strcmp(rest, "ms"))
		v = 0;
	if (!off && (v < k->min || v > k->max))
		return fail(r, line_of(node),
			    "%s: '%s' is neither 'off' nor a time from %" PRIu64 "ms to %" PRIu64
			    "s",
			    k->name, text, k->min, k->max / 1000);
	*(uint32_t *)out = v;
	return 0;
}

static bool name_ok(const char *s)
{
	if (!isalnum((unsigned char)*s))
		return false;
	while (isalnum((unsigned char)*s) || (*s && strchr("-_.", *s)))
		s++;
	return !*s;
}

static bool text_ok(const char *s)
{
	const char *end = s;

	while (isgraph((unsigned char)*end))
		end++;
	return end > s && !*end;
}

static bool line_ok(const char *s)
{
	const char *end = s;

	while (isprint((unsigned char)*end))
		end++;
	return end > s && !*end;
}

static int read_string(struct reader *r, const struct sl_boot_key *k, const yaml_node_t *node,
		       void *out)
{
	const char *s = text_of(node);

	if (strlen(s) >= k->len)
		return fail(r, line_of(node), "%s: longer than %zu characters", k->name,
			    k->len - 1);
	if (k->kind == SL_BOOT_NAME && !name_ok(s))
		return fail(r, line_of(node),
			    "%s: '%s' is not a name: letters, digits, '-', '_' and '.', the first "
			    "a letter or digit",
			    k->name, s);
	if (k->kind == SL_BOOT_PATH && (*s != '/' || !text_ok(s)))
		return fail(r, line_of(node), "%s: '%s' is not an absolute path without spaces",
			    k->name, s);
	if (k->kind == SL_BOOT_TEXT && !text_ok(s))
		return fail(r, line_of(node), "%s: is empty or has spaces", k->name);
	if (k->kind == SL_BOOT_LINE && !line_ok(s))
		return fail(r, line_of(node), "%s: is empty or has characters that don't print",
			    k->name);
	strcpy(out, s);
	return 0;
}

static int read_choice(struct reader *r, const struct sl_boot_key *k, const yaml_node_t *node,
		       void *out)
{
	for (int i = 0; i < 2; i++) {
		if (!strcmp(text_of(node), k->words[i])) {
			*(bool *)out = i;
			return 0;
		}
	}
	return fail(r, line_of(node), "%s: '%s' is neither '%s' nor '%s'", k->name, text_of(node),
		    k->words[0], k->words[1]);
}

static int read_map(struct reader *r, const struct sl_boot_table *t, const yaml_node_t *node,
		    const char *what, void *out);

static int read_list(struct reader *r, const struct sl_boot_key *k, const yaml_node_t *node,
		     void *base)
{
	unsigned int *count = (unsigned int *)((char *)base + k->count_offset);
	size_t n;

	if (node->type != YAML_SEQUENCE_NODE)
		return fail(r, line_of(node), "%s: must be a list ('- ...')", k->name);
	n = node->data.sequence.items.top - node->data.sequence.items.start;
	if (n < k->min || n > k->max)
		return fail(r, line_of(node),
			    "%s: has %zu entries, must have %" PRIu64 " to %" PRIu64, k->name, n,
			    k->min, k->max);
	for (*count = 0; *count < n; ++*count) {
		char *item = (char *)base + k->offset + *count * k->item_size;
		int rc = read_map(r, k->table,
				  yaml_document_get_node(&r->document,
							 node->data.sequence.items.start[*count]),
				  k->name, item);

		if (rc)
			return rc;
	}
	return 0;
}

static int read_scalar(struct reader *r, const struct sl_boot_key *k, const yaml_node_t *node,
		       void *out)
{
	if (!is_scalar(node))
		return fail(r, line_of(node), "%s: must be a single value", k->name);
	switch (k->kind) {
	case SL_BOOT_NUMBER:
	case SL_BOOT_POWER: return read_number(r, k, node, out);
	case SL_BOOT_SIZE: return read_size(r, k, node, out);
	case SL_BOOT_TIME: return read_time(r, k, node, out);
	case SL_BOOT_CHOICE: return read_choice(r, k, node, out);
	default: return read_string(r, k, node, out);
	}
}

static int read_value(struct reader *r, const struct sl_boot_key *k, const yaml_node_t *node,
		      void *base)
{
	void *out = (char *)base + k->offset;

	if (k->kind == SL_BOOT_LIST)
		return read_list(r, k, node, base);
	if (k->kind == SL_BOOT_MAP)
		return read_map(r, k->table, node, k->name, out);
	return read_scalar(r, k, node, out);
}

/* `line`: that of the map without the key. */
static void set_initial(const struct sl_boot_key *k, unsigned int line, void *base)
{
	void *out = (char *)base + k->offset;

	switch (k->kind) {
	case SL_BOOT_NUMBER:
	case SL_BOOT_TIME:
	case SL_BOOT_POWER: *(uint32_t *)out = k->initial; break;
	case SL_BOOT_SIZE: *(uint64_t *)out = k->initial; break;
	case SL_BOOT_CHOICE: *(bool *)out = k->initial; break;
	case SL_BOOT_MAP:
		*(unsigned int *)((char *)out + k->table->line_offset) = line;
		for (unsigned int i = 0; i < k->table->n_keys; i++)
			set_initial(&k->table->keys[i], line, out);
		break;
	case SL_BOOT_LIST: break;
	default: strcpy(out, k->initial_text); break;
	}
}

static int find_key(struct reader *r, const struct sl_boot_table *t, const yaml_node_t *key,
		    const char *what, unsigned int *index)
{
	char allowed[256] = "";

	if (!is_scalar(key))
		return fail(r, line_of(key), "%s: a key must be a word", what);
	for (unsigned int i = 0; i < t->n_keys; i++) {
		size_t n = strlen(allowed);

		if (!strcmp(text_of(key), t->keys[i].name)) {
			*index = i;
			return 0;
		}
		snprintf(allowed + n, sizeof(allowed) - n, "%s%s", i ? ", " : "", t->keys[i].name);
	}
	return fail(r, line_of(key), "%s: unknown key '%s'; there are %s", what, text_of(key),
		    allowed);
}

static int read_map(struct reader *r, const struct sl_boot_table *t, const yaml_node_t *node,
		    const char *what, void *out)
{
	uint64_t seen = 0;

	if (node->type != YAML_MAPPING_NODE)
		return fail(r, line_of(node), "%s: must be a map ('key: value')", what);
	*(unsigned int *)((char *)out + t->line_offset) = line_of(node);
	for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
	     p++) {
		const yaml_node_t *key = yaml_document_get_node(&r->document, p->key);
		const yaml_node_t *value = yaml_document_get_node(&r->document, p->value);
		unsigned int i = 0;
		int rc = find_key(r, t, key, what, &i);

		if (!rc && seen >> i & 1)
			rc = fail(r, line_of(key), "%s: key '%s' stands there twice", what,
				  t->keys[i].name);
		if (!rc)
			rc = read_value(r, &t->keys[i], value, out);
		if (rc)
			return rc;
		seen |= UINT64_C(1) << i;
	}
	for (unsigned int i = 0; i < t->n_keys; i++) {
		if (seen >> i & 1)
			continue;
		if (t->keys[i].required)
			return fail(r, line_of(node), "%s: key '%s' is missing", what,
				    t->keys[i].name);
		set_initial(&t->keys[i], line_of(node), out);
	}
	return 0;
}

/* The one document of the file, parsed. */
static int load_document(struct reader *r, FILE *file)
{
	yaml_parser_t parser;
	yaml_document_t more;
	int rc = 0;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_file(&parser, file);
	if (!yaml_parser_load(&parser, &r->document)) {
		rc = fail(r, parser.problem_mark.line + 1, "not YAML: %s",
			  parser.problem ? parser.problem : "unreadable");
		yaml_parser_delete(&parser);
		return rc;
	}
	if (!yaml_document_get_root_node(&r->document)) {
		rc = fail(r, 1, "the file is empty");
	} else if (!yaml_parser_load(&parser, &more)) {
		rc = fail(r, parser.problem_mark.line + 1, "not YAML: %s",
			  parser.problem ? parser.problem : "unreadable");
	} else {
		if (yaml_document_get_root_node(&more))
			rc = fail(r, more.start_mark.line + 1, "a second document begins");
		yaml_document_delete(&more);
	}
	if (rc)
		yaml_document_delete(&r->document);
	yaml_parser_delete(&parser);
	return rc;
}

static int load_file(struct reader *r, FILE *file, const struct sl_boot_table *table, void *out)
{
	long size;
	int rc;

	if (fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET))
		return fail(r, 1, "%s", strerror(errno));
	if (size > MAX_FILE)
		return fail(r, 1, "larger than 1 MiB");
	rc = load_document(r, file);
	if (rc)
		return rc;
	rc = read_map(r, table, yaml_document_get_root_node(&r->document), "configuration", out);
	yaml_document_delete(&r->document);
	return rc;
}

int sl_boot_yaml_load(const char *path, const struct sl_boot_table *table, void *out, char *why,
		      size_t why_len)
{
	struct reader r = {.path = path, .why = why, .why_len = why_len};
	FILE *file = fopen(path, "re");
	int rc;

	if (!file) {
		rc = -errno;
		snprintf(why, why_len, "%s: %s", path, strerror(errno));
		return rc;
	}
	rc = load_file(&r, file, table, out);
	fclose(file);
	return rc;
}
