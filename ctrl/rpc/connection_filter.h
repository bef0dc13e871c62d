/* SPDX-License-Identifier: BSD-3-Clause */
/* Which connections a call is about. */
#ifndef CTRL_RPC_CONNECTION_FILTER_H
#define CTRL_RPC_CONNECTION_FILTER_H

#include <stdbool.h>

#include <sluice/conn_filter.h>

#include "ctrl/rpc/call.h"
#include "sluice/v1/common.pb-c.h"

/* As a request says it; "" and PROTOCOL_UNSPECIFIED: any. */
struct connection_words {
	const char *virtual_server;
	const char *backend;
	const char *snat_policy;
	const char *client_address;
	Sluice__V1__Protocol protocol;
	const char *state;
};

/* Of a request to list or to end connections: they have the same fields. */
#define CONNECTION_WORDS(request)                                                             \
	{                                                                                     \
		.virtual_server = (request)->virtual_server, .backend = (request)->backend,   \
		.snat_policy = (request)->snat_policy,                                        \
		.client_address = (request)->client_address, .protocol = (request)->protocol, \
		.state = (request)->state,                                                    \
	}

/* False: the refusal has been sent. */
bool connection_filter(struct rpc_call *call, const struct connection_words *words,
		       struct sl_conn_filter *filter);

/* For the audit log: "connections backend=web/a state=udp". NULL: no memory. */
const char *connection_words_text(struct rpc_call *call, const struct connection_words *words);

#endif
