/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A strict reader of YAML into structs, driven by tables of keys. It knows nothing of
 * what the keys mean; primary/boot_config.c and ctrl/boot_config.c have the tables.
 */
#ifndef SL_BOOT_YAML_H
#define SL_BOOT_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sl_boot_kind {
	SL_BOOT_NAME,   /* char[len]: letters, digits, - _ . */
	SL_BOOT_PATH,   /* char[len]: absolute */
	SL_BOOT_TEXT,   /* char[len]: printable, no space */
	SL_BOOT_LINE,   /* char[len]: printable, spaces too */
	SL_BOOT_NUMBER, /* uint32_t, min to max */
	SL_BOOT_POWER,  /* uint32_t, min to max, a power of two */
	SL_BOOT_SIZE,   /* uint64_t, bytes; written with a unit */
	SL_BOOT_TIME,   /* uint32_t, milliseconds; written with a unit, or `off`: 0 */
	SL_BOOT_CHOICE, /* bool: one of two words */
	SL_BOOT_MAP,    /* a struct with keys of its own */
	SL_BOOT_LIST,   /* an array of such structs */
};

struct sl_boot_table;

struct sl_boot_key {
	const char *name;
	enum sl_boot_kind kind;
	bool required;
	size_t offset; /* of the value in its struct */
	size_t len;    /* of a string, with its NUL */
	uint64_t min, max;
	uint64_t initial;         /* without the key; choices: 0 or 1 */
	const char *initial_text; /* likewise, of strings */
	const char *words[2];     /* choices: that mean false, true */

	const struct sl_boot_table *table; /* maps, lists */
	size_t item_size;                  /* lists */
	size_t count_offset;               /* lists: unsigned int, items read; 1 to max */
};

/* Keys of one struct. */
struct sl_boot_table {
	const struct sl_boot_key *keys;
	unsigned int n_keys; /* at most 64 */
	size_t line_offset;  /* unsigned int: line of the struct in the file */
};

/* Read `path` into `out`. 0, or -errno with `FILE:LINE: reason` in `why`. */
int sl_boot_yaml_load(const char *path, const struct sl_boot_table *table, void *out, char *why,
		      size_t why_len);

#endif
