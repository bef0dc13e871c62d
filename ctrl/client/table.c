/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/client/table.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/client/yaml_out.h"

#define CELL_MAX 256

static void append(char *cell, const char *text)
{
	size_t len = strlen(cell);

	snprintf(cell + len, CELL_MAX - len, "%s", text);
}

static void append_value(char *cell, const char *field, json_t *value)
{
	char buffer[64];
	json_t *element;
	size_t i;

	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_STRING:
		append(cell, enum_short(field, json_string_value(value), buffer, sizeof(buffer)));
		break;
	case JSON_INTEGER:
		snprintf(buffer, sizeof(buffer), "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
		append(cell, buffer);
		break;
	case JSON_TRUE:
	case JSON_FALSE: append(cell, json_is_true(value) ? "yes" : "no"); break;
	case JSON_ARRAY:
		json_array_foreach (value, i, element) {
			append(cell, i ? "," : "");
			append_value(cell, field, element);
		}
		break;
	default: break;
	}
}

static void append_pair(char *cell, const char *fields, json_t *row)
{
	const char *colon = strchr(fields, ':');
	json_t *first = json_object_getn(row, fields, (size_t)(colon - fields));

	if (!first)
		return;
	append_value(cell, "", first);
	append(cell, ":");
	append_value(cell, "", json_object_get(row, colon + 1));
}

/* The text of one cell, in `cell` of CELL_MAX bytes. */
static void fill(char *cell, const struct column *column, json_t *row)
{
	cell[0] = '\0';
	if (column->kind == COLUMN_PAIR) {
		append_pair(cell, column->field, row);
	} else {
		json_t *value = json_object_get(row, column->field);

		if (column->kind == COLUMN_COUNT)
			snprintf(cell, CELL_MAX, "%zu", json_array_size(value));
		else
			append_value(cell, column->field, value);
	}
	if (!cell[0])
		append(cell, column->absent                  ? column->absent
			     : column->kind == COLUMN_NUMBER ? "0"
							     : "-");
	for (char *c = cell; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
}

static void print_cell(const struct column *column, const char *text, int width)
{
	bool right = column->kind == COLUMN_NUMBER || column->kind == COLUMN_COUNT;

	/* No blanks at the ends of lines. */
	if (right)
		printf("%*s", width, text);
	else if (column[1].header)
		printf("%-*s", width, text);
	else
		printf("%s", text);
	printf("%s", column[1].header ? "  " : "\n");
}

void table_print(const struct column *columns, json_t *rows)
{
	int width[COLUMNS_MAX];
	char cell[CELL_MAX];
	json_t *row;
	size_t i;
	int c;

	for (c = 0; columns[c].header && c < COLUMNS_MAX; c++) {
		width[c] = (int)strlen(columns[c].header);
		json_array_foreach (rows, i, row) {
			fill(cell, &columns[c], row);
			if ((int)strlen(cell) > width[c])
				width[c] = (int)strlen(cell);
		}
	}
	for (c = 0; columns[c].header; c++)
		print_cell(&columns[c], columns[c].header, width[c]);
	json_array_foreach (rows, i, row) {
		for (c = 0; columns[c].header; c++) {
			fill(cell, &columns[c], row);
			print_cell(&columns[c], cell, width[c]);
		}
	}
}
