/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which connections are meant: what ctrl lists, and what a worker ends when it is told to. Each
 * field that is set has to fit.
 */
#ifndef SL_CONN_FILTER_H
#define SL_CONN_FILTER_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/addr.h>
#include <sluice/conn.h>
#include <sluice/snapshot.h>

struct sl_conn_filter {
	struct sl_addr client;   /* zeros: any */
	uint32_t virtual_server; /* reference; SL_REF_NONE: any */
	uint32_t backend;        /* reference; SL_REF_NONE: any */
	uint8_t protocol;        /* 0: any */
	uint8_t state;           /* enum sl_conn_state; SL_CONN_NONE: any */
	uint8_t reserved[6];
};
static_assert(sizeof(struct sl_conn_filter) == 32, "part of a ring element");

static inline bool sl_conn_filter_fits(const struct sl_conn_filter *f, const struct sl_addr *client,
				       uint8_t protocol, const struct sl_conn_core *core)
{
	return !(core->flags & SL_CONN_F_STUB) &&
	       (f->virtual_server == SL_REF_NONE || f->virtual_server == core->virtual_server) &&
	       (f->backend == SL_REF_NONE || f->backend == core->backend) &&
	       (f->state == SL_CONN_NONE || f->state == core->state) &&
	       (f->protocol == 0 || f->protocol == protocol) &&
	       (sl_addr_is_none(&f->client) || sl_addr_equal(&f->client, client));
}

#endif
