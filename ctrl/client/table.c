/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/client/table.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/client/schema.h"
#include "ctrl/client/term.h"
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

/* Where a virtual server or a backend is reached. */
static void append_endpoint(char *cell, const char *fields, json_t *row)
{
	json_t *end = json_object_get(row, "portEnd");
	size_t more = json_array_size(json_object_get(row, "endpoints"));
	char buffer[32];

	append_pair(cell, fields, row);
	if (!json_integer_value(json_object_get(row, strchr(fields, ':') + 1))) {
		append(cell, "*");
	} else if (json_integer_value(end)) {
		append(cell, "-");
		append_value(cell, "", end);
	}
	snprintf(buffer, sizeof(buffer), " +%zu", more);
	append(cell, more ? buffer : "");
}

/* The text of one cell, in `cell` of CELL_MAX bytes. */
static void fill(char *cell, const struct column *column, json_t *row)
{
	cell[0] = '\0';
	if (column->kind == COLUMN_PAIR) {
		append_pair(cell, column->field, row);
	} else if (column->kind == COLUMN_ENDPOINT) {
		append_endpoint(cell, column->field, row);
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

/* Green for what works, red for what doesn't, yellow for what is on its way. */
static const char *state_colour(const char *text)
{
	static const struct {
		const char *state;
		const char *colour;
	} colours[] = {
		{"running", TERM_GREEN},   {"up", TERM_GREEN},        {"down", TERM_RED},
		{"starting", TERM_YELLOW}, {"stopping", TERM_YELLOW}, {"draining", TERM_YELLOW},
	};

	for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++)
		if (strcmp(text, colours[i].state) == 0)
			return colours[i].colour;
	return "";
}

static void print_cell(const struct column *column, const char *text, int width, const char *colour)
{
	bool right = column->kind == COLUMN_NUMBER || column->kind == COLUMN_COUNT;
	int blanks = width - (int)strlen(text);
	bool last = !column[1].header;

	/* No blanks at the ends of lines. */
	if (!term_colours(stdout))
		colour = "";
	printf("%*s%s%s%s%*s%s", right ? blanks : 0, "", colour, text, *colour ? TERM_PLAIN : "",
	       right || last ? 0 : blanks, "", last ? "\n" : "  ");
}

static void print_row(const struct column *columns, const int *width, json_t *row)
{
	char cell[CELL_MAX];

	for (int c = 0; columns[c].header; c++) {
		fill(cell, &columns[c], row);
		print_cell(&columns[c], cell, width[c],
			   columns[c].kind == COLUMN_STATE ? state_colour(cell) : "");
	}
}

static void print_table(const struct column *columns, json_t *rows)
{
	int width[COLUMNS_MAX];
	char cell[CELL_MAX];
	json_t *row;
	size_t i;
	int c;

	for (c = 0; columns[c].header; c++) {
		width[c] = (int)strlen(columns[c].header);
		json_array_foreach (rows, i, row) {
			fill(cell, &columns[c], row);
			if ((int)strlen(cell) > width[c])
				width[c] = (int)strlen(cell);
		}
	}
	for (c = 0; columns[c].header; c++)
		print_cell(&columns[c], columns[c].header, width[c], TERM_BOLD);
	json_array_foreach (rows, i, row)
		print_row(columns, width, row);
}

/* Whether one of the columns shows the field, alone or in a pair. */
static bool shown(const struct column *columns, const char *field)
{
	size_t len = strlen(field);

	for (; columns->header; columns++) {
		const char *found = strstr(columns->field, field);

		if (found && (found == columns->field || found[-1] == ':') &&
		    (found[len] == '\0' || found[len] == ':'))
			return true;
	}
	return false;
}

/* localAddressPool -> LOCAL-ADDRESS-POOL */
static void heading(const char *field, char *buffer, size_t size)
{
	size_t n = 0;

	for (; *field && n + 2 < size; field++) {
		if (isupper((unsigned char)*field))
			buffer[n++] = '-';
		buffer[n++] = (char)toupper((unsigned char)*field);
	}
	buffer[n] = '\0';
}

void table_print(const struct client *client, const struct column *columns, const char *message,
		 json_t *rows)
{
	const struct schema_message *m = client->wide && message ? schema_message(message) : NULL;
	struct column all[COLUMNS_MAX] = {{0}};
	char header[COLUMNS_MAX][64];
	int n = 0;

	while (columns[n].header && n < COLUMNS_MAX - 1) {
		all[n] = columns[n];
		n++;
	}
	for (const struct schema_field *f = m ? m->fields : NULL; f && f->json; f++) {
		if (f->type == SCHEMA_MESSAGE || n == COLUMNS_MAX - 1 || shown(all, f->json))
			continue;
		heading(f->json, header[n], sizeof(header[n]));
		all[n] = (struct column){header[n], f->json,
					 f->type == SCHEMA_NUMBER ? COLUMN_NUMBER : COLUMN_TEXT,
					 f->type == SCHEMA_TRUTH ? "no" : NULL};
		n++;
	}
	print_table(all, rows);
}
