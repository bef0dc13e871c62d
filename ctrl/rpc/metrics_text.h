/* SPDX-License-Identifier: BSD-3-Clause */
/* Samples as lines of text, each family with its head, and no more of them than there is room for.
 */
#ifndef CTRL_RPC_METRICS_TEXT_H
#define CTRL_RPC_METRICS_TEXT_H

#include <stdint.h>

struct evbuffer;

struct metrics_text {
	struct evbuffer *out;
	unsigned int room; /* samples */
	uint64_t left_out;
	char family[96];
};

/* The samples of a family follow it. type: "counter", "gauge", "histogram". */
void metrics_family(struct metrics_text *text, const char *name, const char *type,
		    const char *help);

/* The same for the name that text->family has. */
void metrics_family_head(struct metrics_text *text, const char *type, const char *help);

/*
 * One sample of the family. labels: name, value, ..., NULL; values may hold anything. Nothing that
 * is not whole is written: of a row of samples that belong together ask for room first.
 */
bool metrics_room(struct metrics_text *text, unsigned int samples);
void metrics_sample(struct metrics_text *text, const char *const *labels, double value);
void metrics_sample_of(struct metrics_text *text, const char *suffix, const char *const *labels,
		       double value);

#define METRICS_LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define METRICS_NO_LABELS   ((const char *const[]){NULL})

#endif
