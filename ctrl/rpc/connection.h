/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CTRL_RPC_CONNECTION_H
#define CTRL_RPC_CONNECTION_H

#include <sluice/addr.h>

#include "ctrl/rpc/call.h"
#include "sluice/v1/connection.pb-c.h"

/* A connection as its client names it. */
struct connection_key {
	struct sl_addr client, virtual;
	uint16_t client_port, virtual_port; /* network byte order */
	uint8_t protocol;                   /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP */
};

/*
 * Look for it among n entries of a worker's tables from *entry on, which is where to go on
 * afterwards; the number of all entries when there are no more. NULL: not among these, or a stub
 * is, which says who has it: *passed_to.
 */
Sluice__V1__Connection *connection_find(struct rpc_call *call, uint32_t worker,
					const struct connection_key *key, uint32_t *entry,
					uint32_t n, uint32_t *passed_to);

/* The workers' time now, in ticks; they may be one ahead. */
uint32_t connection_now(void);

/* How many entries there are. */
uint32_t connection_entries(const struct rpc_call *call, uint32_t worker);

#endif
