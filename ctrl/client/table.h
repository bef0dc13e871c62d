/* SPDX-License-Identifier: BSD-3-Clause */
/* Aligned columns from JSON objects, one header. */
#ifndef CLIENT_TABLE_H
#define CLIENT_TABLE_H

#include <jansson.h>

#include "ctrl/client/client.h"

enum column_kind {
	COLUMN_TEXT,     /* strings, enums in their short form, lists joined by commas */
	COLUMN_NUMBER,   /* to the right */
	COLUMN_COUNT,    /* how many elements a list has */
	COLUMN_PAIR,     /* "field:field", as an address and its port */
	COLUMN_ENDPOINT, /* the same; every port is "*", "-END" of a range, "+N" more `endpoints` */
	COLUMN_STATE,    /* text, coloured by what it says */
};

struct column {
	const char *header; /* NULL ends an array of columns */
	const char *field;  /* of the JSON object */
	enum column_kind kind;
	const char *absent; /* what an absent field means; NULL: "0" for numbers, else "-" */
};

#define COLUMNS_MAX 40

/*
 * Print an array of objects (NULL: an empty one). Control characters become '?'. With -o wide
 * the fields of `message` that no column shows follow; NULL when there are none.
 */
void table_print(const struct client *client, const struct column *columns, const char *message,
		 json_t *rows);

#endif
