/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections ended for a call. Each worker ends its own, some in a turn of its loop
 * (secondary/purge.h), until a time that is in the command: nothing is ended after the caller was
 * told. A worker whose process was replaced meanwhile is asked again, as what the former had done
 * of it nobody knows; then its count is of the second one's. One at a time, as a worker has
 * one such command.
 */
#ifndef CTRL_RPC_END_CONNECTIONS_H
#define CTRL_RPC_END_CONNECTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/conn_filter.h>

#include "ctrl/rpc/call.h"

struct ended {
	uint64_t connections; /* as far as the workers answered */
	uint32_t unfinished;  /* workers, a bit each, that did not get to the end in time */
};

typedef void (*end_connections_fn)(void *arg, const struct ended *ended);

/*
 * End what fits at these workers (a bit each), in the time that the call has left. `done` is called
 * once, later; the call may be abandoned by then. False: it was failed, and `done` is not called.
 */
bool end_connections(struct rpc_call *call, const struct sl_conn_filter *filter, uint32_t workers,
		     end_connections_fn done, void *arg);

/* Every worker there is. */
uint32_t end_connections_all(const struct rpc_call *call);

#endif
