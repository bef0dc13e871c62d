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
#include <sluice/snat.h>
#include <sluice/template.h>
#include <sluice/virtual_server.h>

#include "ctrl/model.h"
#include "ctrl/rpc/connection.h"
#include "ctrl/rpc/services.h"
#include "sluice/v1/common.pb-c.h"

#define SLICE 65536 /* entries looked at in a turn */

struct lookup {
	struct rpc_call *call;
	struct connection_key key;
	uint32_t port;   /* that it comes in by; SL_MAX_PORTS: none that matters */
	uint32_t worker; /* the owner */
	uint32_t at;     /* in whose tables it is looked for: whom the owner passes it to */
	uint32_t entry;
	Sluice__V1__LookupFlowResponse *response;
};

/* ---- the answer ---- */

static void drop(struct lookup *l, enum sl_drop_reason reason)
{
	l->response->drop_reason = (char *)sl_drop_texts[reason].name;
	l->response->text = (char *)sl_drop_texts[reason].text;
}

static uint32_t server_claims(const struct sl_root *root, uint32_t ref)
{
	uint32_t n = 0;

	for (unsigned int w = 0; w < root->n_workers; w++)
		n += sl_claims_of(root->worker[w]->server_claims[SL_REF_ID(ref)], ref);
	return n;
}

/* Has it reached its limit, or not come under its low mark since? (secondary/claims.h) */
static bool is_full(const struct sl_root *root, const struct sl_backend *b)
{
	uint32_t id = SL_REF_ID(b->ref), n = 0, began = 0, ended = 0;

	if (!b->max_connections)
		return false;
	for (unsigned int w = 0; w < root->n_workers; w++) {
		const struct sl_worker_slot *slot = root->worker[w];

		n += sl_claims_of(slot->backend_claims[id], b->ref);
		began = RTE_MAX(began, slot->overload[id].began);
		ended = RTE_MAX(ended, slot->overload[id].ended);
	}
	return n >= b->max_connections || (began > ended && n >= sl_backend_low_mark(b));
}

/* How many backends take connections, of how many with a weight. */
struct takers {
	uint32_t taking, weighted;
};

static struct takers count_takers(const struct sl_root *root, const struct sl_snapshot *s,
				  const struct sl_virtual_server *v)
{
	const struct sl_backend *b = sl_snapshot_at(s, v->backends);
	struct takers n = {0, 0};

	for (uint32_t i = 0; i < v->backends.count; i++) {
		n.weighted += b[i].weight != 0;
		n.taking += b[i].weight && !is_full(root, &b[i]);
	}
	return n;
}

/* Where its connection would be. */
static const struct sl_conn_table *table_of(const struct lookup *l)
{
	const struct sl_worker_slot *slot = rpc_call_ctrl(l->call)->root->worker[l->at];

	return sl_addr_is_v4(&l->key.client) ? &slot->conns : &slot->conns6;
}

/* A backend that takes connections, by reference; NULL: none of this server's. */
static const struct sl_backend *find_taker(const struct lookup *l, const struct sl_snapshot *s,
					   const struct sl_virtual_server *v, uint32_t ref)
{
	const struct sl_backend *b = sl_snapshot_at(s, v->backends);

	for (uint32_t i = 0; i < v->backends.count; i++)
		if (b[i].ref == ref && (b[i].weight || !v->persistence.leaves_drained) &&
		    !is_full(rpc_call_ctrl(l->call)->root, &b[i]))
			return &b[i];
	return NULL;
}

/* Where the client's template leads (<sluice/template.h>); NULL: it has none that counts. */
static const struct sl_backend *find_by_template(const struct lookup *l,
						 const struct sl_snapshot *s,
						 const struct sl_virtual_server *v)
{
	const struct sl_root *root = rpc_call_ctrl(l->call)->root;
	const struct sl_addr *client = &l->key.client;
	uint64_t key = sl_template_key(root->seed, v->ref, client,
				       &v->persistence.mask[!sl_addr_is_v4(client)]);
	const struct sl_template_bucket *bucket = sl_template_bucket(&root->templates, key);

	for (int i = 0; i < SL_TEMPLATES_IN_BUCKET; i++) {
		const struct sl_template *t = &bucket->template[i];
		uint32_t backend = __atomic_load_n(&t->backend, __ATOMIC_ACQUIRE);

		if (__atomic_load_n(&t->key, __ATOMIC_RELAXED) == key &&
		    __atomic_load_n(&t->expires, __ATOMIC_RELAXED) > connection_now())
			return find_taker(l, s, v, backend);
	}
	return NULL;
}

static const char *opener(const struct lookup *l)
{
	if (l->key.protocol == IPPROTO_ICMP)
		return "an echo request";
	return l->key.protocol == IPPROTO_TCP ? "a SYN" : "a datagram";
}

/* Who opens it, if that is not the flow's owner. */
static const char *by_another(struct lookup *l)
{
	const struct sl_root *root = rpc_call_ctrl(l->call)->root;

	if (l->at != l->worker)
		return rpc_format(l->call, ", at worker %u: its owner passes it on", l->at);
	return root->drained >> l->worker & 1 ? ", at another worker: the owner is drained" : "";
}

/* To a virtual server that takes it. */
static void explain_choice(struct lookup *l, const struct sl_snapshot *s,
			   const struct sl_virtual_server *v, uint32_t taking)
{
	const struct sl_backend *b = v->persistent ? find_by_template(l, s, v) : NULL;
	const char *name =
		b ? model_name(rpc_call_ctrl(l->call)->model, IDS_BACKEND, b->ref) : NULL;

	l->response->backend = (char *)(name ?: "");
	if (name)
		l->response->text = rpc_format(
			l->call, "no connection yet; %s opens one to %s, the client's template%s",
			opener(l), name, by_another(l));
	else
		l->response->text = rpc_format(
			l->call,
			"no connection yet; %s opens one to a backend of its %u, of which %u "
			"take connections%s",
			opener(l), v->backends.count, taking, by_another(l));
}

/* What a first packet to a virtual server meets, in the order in which the worker looks. */
static void explain_opening(struct lookup *l, const struct sl_snapshot *s,
			    const struct sl_virtual_server *v)
{
	const struct sl_root *root = rpc_call_ctrl(l->call)->root;
	const struct sl_conn_table *table = table_of(l);
	struct takers n = count_takers(root, s, v);

	if (v->max_connections && server_claims(root, v->ref) >= v->max_connections)
		drop(l, SL_DROP_SERVER_LIMIT);
	else if (!n.weighted)
		drop(l, SL_DROP_NO_BACKEND);
	else if (!n.taking)
		drop(l, SL_DROP_BACKEND_LIMIT);
	else if (sl_conn_open_count(table) == table->capacity)
		drop(l, SL_DROP_CONNECTION_TABLE_FULL);
	else
		explain_choice(l, s, v, n.taking);
}

static const struct sl_snapshot *current_snapshot(const struct lookup *l)
{
	const struct sl_arena *arena = &rpc_call_ctrl(l->call)->root->arena;
	uint64_t current = __atomic_load_n(&arena->current, __ATOMIC_ACQUIRE);

	return current ? arena->half[current & 1] : NULL;
}

/* To an address that is not ours: by the policy that wants it. */
static void explain_outside(struct lookup *l, const struct sl_snapshot *s)
{
	const struct ctrl *ctrl = rpc_call_ctrl(l->call);
	const struct sl_conn_table *table = table_of(l);
	const struct sl_snat_flow flow = {
		.source = l->key.client,
		.destination = l->key.virtual,
		.proto = l->key.protocol,
		.port = (uint8_t)l->port,
	};
	const struct sl_snat_policy *p = sl_snat_find(s, &flow);
	const char *name;

	if (!p) {
		drop(l, SL_DROP_NO_SERVICE);
		return;
	}
	name = model_name(ctrl->model, IDS_VIRTUAL_SERVER, p->server.ref);
	l->response->snat_policy = (char *)(name ? name + strlen(RESOURCE_SNAT_IDENTITY) : "");
	if (p->server.max_connections &&
	    server_claims(ctrl->root, p->server.ref) >= p->server.max_connections)
		drop(l, SL_DROP_SERVER_LIMIT);
	else if (sl_conn_open_count(table) == table->capacity)
		drop(l, SL_DROP_CONNECTION_TABLE_FULL);
	else
		l->response->text =
			rpc_format(l->call, "no connection yet; %s opens one by the SNAT policy%s",
				   opener(l), by_another(l));
}

static void explain_new(struct lookup *l)
{
	const struct ctrl *ctrl = rpc_call_ctrl(l->call);
	const struct sl_snapshot *s = current_snapshot(l);
	const struct sl_virtual_server *v;

	if (!s) {
		drop(l, SL_DROP_NO_CONFIG);
		return;
	}
	v = sl_virtual_server_find_addr(s, &l->key.virtual, l->key.virtual_port, l->key.protocol);
	if (!v) {
		if (sl_own_address_find_addr(s, &l->key.virtual))
			drop(l, SL_DROP_NO_SERVICE);
		else
			explain_outside(l, s);
		return;
	}
	l->response->virtual_server =
		(char *)(model_name(ctrl->model, IDS_VIRTUAL_SERVER, v->ref) ?: "");
	explain_opening(l, s, v);
}

static void finish(struct lookup *l)
{
	Sluice__V1__Connection *connection = l->response->connection;

	l->response->worker = l->worker;
	if (connection) {
		bool snat = !strcmp(connection->mode, sl_mode_names[SL_MODE_SNAT]);

		l->response->virtual_server = connection->virtual_server;
		l->response->snat_policy = connection->snat_policy;
		l->response->backend = connection->backend;
		l->response->text = rpc_format(l->call, "of an open connection to %s%s",
					       *connection->backend ? connection->backend
					       : snat               ? connection->backend_address
								    : "a backend that is gone",
					       by_another(l));
	} else {
		explain_new(l);
	}
	rpc_reply(l->call, l->response);
}

/* The owner has a stub; whom it names has none of the kind, so this comes once. */
static void go_on_at(struct lookup *l, uint32_t worker)
{
	l->at = worker;
	l->entry = 0;
	l->response->passed_to = worker;
	l->response->optional_passed_to_case =
		SLUICE__V1__LOOKUP_FLOW_RESPONSE__OPTIONAL_PASSED_TO_PASSED_TO;
}

static void search(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval soon = {0, 0};
	struct lookup *l = arg;
	uint32_t to = l->at;

	(void)fd;
	(void)what;
	l->response->connection = connection_find(l->call, l->at, &l->key, &l->entry, SLICE, &to);
	if (to != l->at)
		go_on_at(l, to);
	if (l->response->connection || l->entry == connection_entries(l->call, l->at) ||
	    !rpc_call_wanted(l->call))
		finish(l);
	else if (event_base_once(rpc_call_ctrl(l->call)->base, -1, EV_TIMEOUT, search, l, &soon))
		rpc_fail(l->call, PROBLEM_RESOURCE_EXHAUSTED, "no memory to go on looking");
}

/* ---- the request ---- */

/* False: the refusal has been sent. */
static bool read_endpoint(struct rpc_call *call, const char *what, const char *address,
			  uint32_t port, uint32_t least, struct sl_addr *addr, uint16_t *to)
{
	uint32_t v4;

	if (inet_pton(AF_INET, address, &v4) == 1)
		*addr = sl_addr_of_v4(v4);
	else if (inet_pton(AF_INET6, address, addr) != 1)
		*addr = (struct sl_addr){0};
	if (sl_addr_is_none(addr))
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "%s_address: \"%.40s\" is no IP address",
			 what, address);
	else if (port < least || port > 65535)
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "%s_port: %u is not in %u..65535", what,
			 port, least);
	else
		return *to = htons((uint16_t)port), true;
	return false;
}

/* False: the refusal has been sent. */
static bool read_key(struct rpc_call *call, const Sluice__V1__LookupFlowRequest *request,
		     struct connection_key *key)
{
	uint32_t least = request->protocol != SLUICE__V1__PROTOCOL__PROTOCOL_ICMP;

	switch (request->protocol) {
	case SLUICE__V1__PROTOCOL__PROTOCOL_TCP: key->protocol = IPPROTO_TCP; break;
	case SLUICE__V1__PROTOCOL__PROTOCOL_UDP: key->protocol = IPPROTO_UDP; break;
	case SLUICE__V1__PROTOCOL__PROTOCOL_ICMP: key->protocol = IPPROTO_ICMP; break;
	default:
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "protocol: tcp, udp or icmp");
		return false;
	}
	if (!read_endpoint(call, "client", request->client_address, request->client_port, least,
			   &key->client, &key->client_port) ||
	    !read_endpoint(call, "virtual", request->virtual_address, request->virtual_port, least,
			   &key->virtual, &key->virtual_port))
		return false;
	if (sl_addr_is_v4(&key->client) == sl_addr_is_v4(&key->virtual))
		return true;
	rpc_fail(call, PROBLEM_INVALID_ARGUMENT,
		 "client_address and virtual_address: a packet has addresses of one family");
	return false;
}

/* False: the refusal has been sent. */
static bool read_interface(struct lookup *l, const char *name)
{
	const struct sl_root *root = rpc_call_ctrl(l->call)->root;

	l->port = SL_MAX_PORTS;
	if (!*name)
		return true;
	for (l->port = 0; l->port < root->n_ports; l->port++)
		if (!strcmp(root->port[l->port].name, name))
			return true;
	rpc_fail(l->call, PROBLEM_NOT_FOUND, "in_interface: there is no interface %.63s", name);
	return false;
}

/* As the workers say, <sluice/owner.h>. */
static uint32_t owner_of(const struct lookup *l)
{
	const struct sl_root *root = rpc_call_ctrl(l->call)->root;
	const struct sl_snapshot *s = current_snapshot(l);
	const struct connection_key *key = &l->key;
	bool outside = s && !sl_own_address_find_addr(s, &key->virtual);
	const struct sl_addr *addr = outside ? &key->virtual : &key->client;
	uint16_t port = outside ? key->virtual_port : key->client_port;

	return sl_addr_is_v4(addr)
		       ? sl_owner_client(sl_addr_v4(addr), port, root->seed, root->n_workers)
		       : sl_owner_client6(addr, port, root->seed, root->n_workers);
}

void connection_lookup_flow(struct rpc_call *call)
{
	const Sluice__V1__LookupFlowRequest *request = (const void *)rpc_call_request(call);
	struct lookup *l = rpc_alloc(call, sizeof(*l));

	if (!l) {
		rpc_reply(call, NULL);
		return;
	}
	l->call = call;
	if (!read_key(call, request, &l->key) || !read_interface(l, request->in_interface))
		return;
	l->worker = l->at = owner_of(l);
	l->response = rpc_message(call, &sluice__v1__lookup_flow_response__descriptor);
	if (l->response)
		search(-1, 0, l);
	else
		rpc_reply(call, NULL);
}
