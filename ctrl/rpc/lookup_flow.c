/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happens to a client's packet: which worker has it, and the connection it belongs to or
 * what a first packet would meet. Computed from what the workers use, the functions of include/
 * and the current snapshot, without asking them. The owner's tables are searched a slice in a turn
 * of the loop.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include <event2/event.h>

#include <sluice/conn.h>
#include <sluice/drop.h>
#include <sluice/owner.h>
#include <sluice/shm.h>

#include "ctrl/model.h"
#include "ctrl/rpc/connection.h"
#include "ctrl/rpc/services.h"
#include "sluice/v1/common.pb-c.h"

#define SLICE 65536 /* entries looked at in a turn */

struct lookup {
	struct rpc_call *call;
	struct connection_key key;
	uint32_t client, virtual; /* of the key; network byte order */
	uint32_t worker;
	uint32_t entry;
	Sluice__V1__LookupFlowResponse *response;
};

/* ---- the answer ---- */

static void drop(struct lookup *l, enum sl_drop_reason reason)
{
	l->response->drop_reason = (char *)sl_drop_texts[reason].name;
	l->response->text = (char *)sl_drop_texts[reason].text;
}

/* What a first packet meets, in the order in which the worker looks. */
static void explain_new(struct lookup *l)
{
	const struct ctrl *ctrl = rpc_call_ctrl(l->call);
	const struct sl_arena *arena = &ctrl->root->arena;
	uint64_t current = __atomic_load_n(&arena->current, __ATOMIC_ACQUIRE);
	const struct sl_conn_table *table = &ctrl->root->worker[l->worker]->conns;
	const struct sl_virtual_server *v;

	if (!current) {
		drop(l, SL_DROP_NO_CONFIG);
		return;
	}
	v = sl_virtual_server_find(arena->half[current & 1], l->virtual, l->key.virtual_port,
				   l->key.protocol);
	if (!v) {
		drop(l, SL_DROP_NO_SERVICE);
		return;
	}
	l->response->virtual_server =
		(char *)(model_name(ctrl->model, IDS_VIRTUAL_SERVER, v->ref) ?: "");
	if (!v->cycle.count)
		drop(l, SL_DROP_NO_BACKEND);
	else if (sl_conn_open_count(table) == table->capacity)
		drop(l, SL_DROP_CONNECTION_TABLE_FULL);
	else
		l->response->text = rpc_format(
			l->call, "no connection yet; %s opens one to a backend of its %u",
			l->key.protocol == IPPROTO_TCP ? "a SYN" : "a datagram", v->backends.count);
}

static void finish(struct lookup *l)
{
	Sluice__V1__Connection *connection = l->response->connection;

	l->response->worker = l->worker;
	if (connection) {
		l->response->virtual_server = connection->virtual_server;
		l->response->text = rpc_format(l->call, "of an open connection to %s",
					       *connection->backend ? connection->backend
								    : "a backend that is gone");
	} else {
		explain_new(l);
	}
	rpc_reply(l->call, l->response);
}

static void search(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval soon = {0, 0};
	struct lookup *l = arg;

	(void)fd;
	(void)what;
	l->response->connection = connection_find(l->call, l->worker, &l->key, &l->entry, SLICE);
	if (l->response->connection || l->entry == connection_entries(l->call, l->worker) ||
	    !rpc_call_wanted(l->call))
		finish(l);
	else if (event_base_once(rpc_call_ctrl(l->call)->base, -1, EV_TIMEOUT, search, l, &soon))
		rpc_fail(l->call, PROBLEM_RESOURCE_EXHAUSTED, "no memory to go on looking");
}

/* ---- the request ---- */

/* False: the refusal has been sent. */
static bool read_endpoint(struct rpc_call *call, const char *what, const char *address,
			  uint32_t port, uint32_t *addr, uint16_t *to)
{
	if (inet_pton(AF_INET, address, addr) != 1)
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "%s_address: \"%.40s\" is no IPv4 address",
			 what, address);
	else if (port < 1 || port > 65535)
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "%s_port: %u is not in 1..65535", what,
			 port);
	else
		return *to = htons((uint16_t)port), true;
	return false;
}

void connection_lookup_flow(struct rpc_call *call)
{
	const Sluice__V1__LookupFlowRequest *request = (const void *)rpc_call_request(call);
	const struct sl_root *root = rpc_call_ctrl(call)->root;
	struct lookup *l = rpc_alloc(call, sizeof(*l));

	if (!l) {
		rpc_reply(call, NULL);
		return;
	}
	l->call = call;
	switch (request->protocol) {
	case SLUICE__V1__PROTOCOL__PROTOCOL_TCP: l->key.protocol = IPPROTO_TCP; break;
	case SLUICE__V1__PROTOCOL__PROTOCOL_UDP: l->key.protocol = IPPROTO_UDP; break;
	default: rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "protocol: tcp or udp"); return;
	}
	if (!read_endpoint(call, "client", request->client_address, request->client_port,
			   &l->client, &l->key.client_port) ||
	    !read_endpoint(call, "virtual", request->virtual_address, request->virtual_port,
			   &l->virtual, &l->key.virtual_port))
		return;
	l->key.client = sl_addr_of_v4(l->client);
	l->key.virtual = sl_addr_of_v4(l->virtual);
	l->worker = sl_owner_client(l->client, l->key.client_port, root->seed, root->n_workers);
	l->response = rpc_message(call, &sluice__v1__lookup_flow_response__descriptor);
	if (l->response)
		search(-1, 0, l);
	else
		rpc_reply(call, NULL);
}
