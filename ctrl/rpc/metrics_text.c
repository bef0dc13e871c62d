/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdbool.h>

#include "ctrl/rpc/metrics_text.h"

#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>

void metrics_family(struct metrics_text *text, const char *name, const char *type, const char *help)
{
	snprintf(text->family, sizeof(text->family), "%s", name);
	metrics_family_head(text, type, help);
}

void metrics_family_head(struct metrics_text *text, const char *type, const char *help)
{
	evbuffer_add_printf(text->out, "# HELP %s %s\n# TYPE %s %s\n", text->family, help,
			    text->family, type);
}

bool metrics_room(struct metrics_text *text, unsigned int samples)
{
	if (text->room >= samples)
		return true;
	text->left_out += samples;
	return false;
}

static void put_value(struct evbuffer *out, const char *value)
{
	for (;;) {
		size_t plain = strcspn(value, "\n\"\\");

		evbuffer_add(out, value, plain);
		value += plain;
		if (!*value)
			break;
		evbuffer_add_printf(out, "\\%c", *value == '\n' ? 'n' : *value);
		value++;
	}
}

void metrics_sample_of(struct metrics_text *text, const char *suffix, const char *const *labels,
		       double value)
{
	const char *before = "{";

	if (!metrics_room(text, 1))
		return;
	text->room--;
	evbuffer_add_printf(text->out, "%s%s", text->family, suffix);
	for (; labels[0]; labels += 2, before = ",") {
		evbuffer_add_printf(text->out, "%s%s=\"", before, labels[0]);
		put_value(text->out, labels[1]);
		evbuffer_add(text->out, "\"", 1);
	}
	/* 15 digits tell all integers below 2^49 apart, and decimal fractions as they were meant.
	 */
	evbuffer_add_printf(text->out, "%s %.15g\n", *before == ',' ? "}" : "", value);
}

void metrics_sample(struct metrics_text *text, const char *const *labels, double value)
{
	metrics_sample_of(text, "", labels, value);
}
