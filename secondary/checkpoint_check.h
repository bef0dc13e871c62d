/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Entries of a checkpoint, which were written in a former time, held against what is configured
 * now: those that fit are taken up (checkpoint.c).
 */
#ifndef CHECKPOINT_CHECK_H
#define CHECKPOINT_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/addr.h>

struct conn_table;
struct worker;

/* What the snapshot has, by id. */
struct checkpoint_known {
	uint32_t *virtual_server; /* reference */
	uint32_t *backend;        /* reference */
	struct sl_addr *local;
};

/* 0 or -ENOMEM; to be freed in either case. */
int checkpoint_known_fill(const struct worker *w, struct checkpoint_known *k);
void checkpoint_known_free(struct checkpoint_known *k);

/* May entry i, as it stands in the table, exist again as this worker's? */
bool checkpoint_fits(const struct worker *w, const struct checkpoint_known *k,
		     const struct conn_table *t, uint32_t i);

#endif
