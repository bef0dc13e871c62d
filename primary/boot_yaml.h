/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A strict reader of YAML into structs, driven by tables of keys. It knows nothing of
 * what the keys mean; boot_config.c has the tables.
 */
#ifndef PRIMARY_BOOT_YAML_H
#define PRIMARY_BOOT_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum boot_kind {
	BOOT_NAME,   /* char[len]: letters, digits, - _ . */
	BOOT_PATH,   /* char[len]: absolute */
	BOOT_TEXT,   /* char[len]: printable, no space */
	BOOT_NUMBER, /* uint32_t, min to max */
	BOOT_POWER,  /* uint32_t, min to max, a power of two */
	BOOT_SIZE,   /* uint64_t, bytes; written with a unit */
	BOOT_TIME,   /* uint32_t, milliseconds; written with a unit, or `off`: 0 */
	BOOT_CHOICE, /* bool: one of two words */
	BOOT_MAP,    /* a struct with keys of its own */
	BOOT_LIST,   /* an array of such structs */
};

struct boot_table;

struct boot_key {
	const char *name;
	enum boot_kind kind;
	bool required;
	size_t offset; /* of the value in its struct */
	size_t len;    /* of a string, with its NUL */
	uint64_t min, max;
	uint64_t initial;         /* without the key; choices: 0 or 1 */
	const char *initial_text; /* likewise, of strings */
	const char *words[2];     /* choices: that mean false, true */

	const struct boot_table *table; /* maps, lists */
	size_t item_size;               /* lists */
	size_t count_offset;            /* lists: unsigned int, items read; 1 to max */
};

/* Keys of one struct. */
struct boot_table {
	const struct boot_key *keys;
	unsigned int n_keys; /* at most 64 */
	size_t line_offset;  /* unsigned int: line of the struct in the file */
};

/* Read `path` into `out`. 0, or -errno with `FILE:LINE: reason` in `why`. */
int boot_yaml_load(const char *path, const struct boot_table *table, void *out, char *why,
		   size_t why_len);

#endif
