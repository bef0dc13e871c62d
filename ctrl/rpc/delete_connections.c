/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections ended on request, by a filter. */
#include <sluice/limits.h>

#include "ctrl/rpc/connection_filter.h"
#include "ctrl/rpc/end_connections.h"
#include "ctrl/rpc/services.h"
#include "sluice/v1/connection.pb-c.h"

static Sluice__V1__DeleteConnectionsResponse *response_of(struct rpc_call *call,
							  const struct ended *ended)
{
	Sluice__V1__DeleteConnectionsResponse *m =
		rpc_message(call, &sluice__v1__delete_connections_response__descriptor);

	if (!m)
		return NULL;
	m->connections = ended->connections;
	m->unfinished_workers = rpc_alloc(call, SL_MAX_WORKERS * sizeof(uint32_t));
	for (uint32_t w = 0; m->unfinished_workers && w < SL_MAX_WORKERS; w++)
		if (ended->unfinished & UINT32_C(1) << w)
			m->unfinished_workers[m->n_unfinished_workers++] = w;
	return m;
}

static void on_ended(void *arg, const struct ended *ended)
{
	rpc_reply(arg, response_of(arg, ended));
}

static bool means_something(const Sluice__V1__DeleteConnectionsRequest *r)
{
	return r->all || *r->virtual_server || *r->backend || *r->client_address ||
	       r->protocol != SLUICE__V1__PROTOCOL__PROTOCOL_UNSPECIFIED || *r->state ||
	       *r->snat_policy;
}

void connection_delete(struct rpc_call *call)
{
	const Sluice__V1__DeleteConnectionsRequest *request = (const void *)rpc_call_request(call);
	const struct connection_words words = CONNECTION_WORDS(request);
	struct sl_conn_filter filter;

	rpc_call_about(call, connection_words_text(call, &words));
	if (!means_something(request))
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT,
			 "say which connections, by one filter at least, or all");
	else if (connection_filter(call, &words, &filter))
		end_connections(call, &filter, end_connections_all(call), on_ended, call);
}
