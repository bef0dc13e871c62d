/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The API over its socket, in one process: the real server, codecs and handlers on a model and
 * worker slots in plain memory. Changes and the primary are played by this file, which
 * stands where ctrl/apply.c and ctrl/primary_client.c would.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <rte_mempool.h>

#include "ctrl/apply.h"
#include "ctrl/ctrl.h"
#include "ctrl/model.h"
#include "ctrl/primary_client.h"
#include "ctrl/rpc/call.h"
#include "ctrl/rpc/rpc.h"
#include "ctrl/slices.h"
#include "ctrl/store.h"
#include "sluice/v1/backend_pool.pb-c.h"
#include "sluice/v1/common.pb-c.h"
#include "sluice/v1/virtual_server.pb-c.h"
#include "tests/unit/lib/http_client.h"

#define CONNECTIONS  300000
#define CONNECTIONS6 16
#define PATH_FORMAT  "/tmp/test-rpc-%d.sock"

static struct sl_root root;
static struct sl_worker_slot slots[2];
static struct rte_mempool mempool;
static struct sl_pool pool;
static struct ctrl ctrl = {.root = &root};
static struct rpc *rpc;
static char path[64];

/* ---- played: the transaction and the primary ---- */

static struct {
	struct apply_request request; /* the last one; its pointers are good for the call only */
	char seen[256];               /* what it was, as text */
	apply_done_fn done;
	void *arg;
	struct problem refuse; /* instead of queueing */
} applied;

int apply_submit(struct apply *apply, const struct apply_request *request, apply_done_fn done,
		 void *arg, struct problem *why)
{
	(void)apply;
	if (applied.refuse.code) {
		*why = applied.refuse;
		return -EINVAL;
	}
	applied.request = *request;
	snprintf(applied.seen, sizeof(applied.seen), "op %d kind %d pool %s name %s etag %s by %s",
		 request->op, request->kind, request->pool ?: "-", request->name ?: "-",
		 request->etag ?: "-", request->author);
	applied.done = done;
	applied.arg = arg;
	return 0;
}

static struct {
	unsigned int n;
	enum problem_code code;
	char seen[256];
} audited;

void apply_audit(struct apply *apply, const struct store_audit *entry)
{
	(void)apply;
	audited.n++;
	audited.code = entry->code;
	snprintf(audited.seen, sizeof(audited.seen), "%s %s %s by %s", entry->method,
		 entry->resource ?: "-", problem_code_name(entry->code), entry->caller);
}

static struct {
	uint32_t worker;
	primary_done_fn done;
	void *arg;
} asked;

int primary_request(struct primary_client *client, enum sl_primary_op op, uint32_t argument,
		    unsigned int timeout_ms, primary_done_fn done, void *arg)
{
	(void)client;
	assert_int_equal(op, SL_PRIMARY_RESTART_WORKER);
	assert_in_range(timeout_ms, 1, RPC_TIMEOUT_MS);
	asked.worker = argument;
	asked.done = done;
	asked.arg = arg;
	return 0;
}

/* ---- the bed ---- */

/* A pool that only tells how many buffers are free. */
static int pool_nothing(struct rte_mempool *mp)
{
	(void)mp;
	return -ENOTSUP;
}

static int pool_put(struct rte_mempool *mp, void *const *objects, unsigned int n)
{
	(void)objects;
	(void)n;
	return pool_nothing(mp);
}

static int pool_get(struct rte_mempool *mp, void **objects, unsigned int n)
{
	(void)objects;
	(void)n;
	return pool_nothing(mp);
}

static unsigned int pool_count(const struct rte_mempool *mp)
{
	return mp->size - 3;
}

static const struct rte_mempool_ops pool_ops = {
	.name = "test_rpc",
	.alloc = pool_nothing,
	.enqueue = pool_put,
	.dequeue = pool_get,
	.get_count = pool_count,
};
RTE_MEMPOOL_REGISTER_OPS(pool_ops)

static const struct resource *add(enum resource_kind kind, const char *pool, const void *message)
{
	struct problem why;
	struct resource *r = resource_new(kind, pool, message, &why);

	if (!r)
		fail_msg("%s", why.text);
	assert_int_equal(model_insert(ctrl.model, r), 0);
	return r;
}

static const struct resource *add_backend(const char *pool, const char *name, const char *address)
{
	Sluice__V1__Backend b = SLUICE__V1__BACKEND__INIT;

	b.name = (char *)name;
	b.address = (char *)address;
	b.port = 80;
	return add(RESOURCE_BACKEND, pool, &b);
}

static void add_pool(const char *name)
{
	Sluice__V1__BackendPool p = SLUICE__V1__BACKEND_POOL__INIT;

	p.name = (char *)name;
	add(RESOURCE_BACKEND_POOL, NULL, &p);
}

static const struct resource *add_server(const char *name, uint32_t port)
{
	Sluice__V1__VirtualServer v = SLUICE__V1__VIRTUAL_SERVER__INIT;

	v.name = (char *)name;
	v.address = "192.0.2.80";
	v.port = port;
	v.protocol = SLUICE__V1__PROTOCOL__PROTOCOL_TCP;
	v.backend_pool = "web";
	v.local_address_pool = "local";
	return add(RESOURCE_VIRTUAL_SERVER, NULL, &v);
}

static void slot_init(struct sl_worker_slot *slot, uint32_t id)
{
	slot->id = id;
	slot->cpu = id;
	slot->mempool = &mempool;
	slot->pool = &pool;
	slot->conns.capacity = CONNECTIONS;
	slot->conns.n_free = CONNECTIONS - id;
	slot->conns.entry_size = sizeof(struct sl_conn);
	slot->conns.entry = calloc(CONNECTIONS, sizeof(*slot->conns.entry));
	slot->conns.check = calloc(CONNECTIONS, sizeof(*slot->conns.check));
	slot->conns6.capacity = CONNECTIONS6;
	slot->conns6.n_free = CONNECTIONS6;
	slot->conns6.entry_size = sizeof(struct sl_conn6);
	slot->conns6.entry6 = calloc(CONNECTIONS6, sizeof(*slot->conns6.entry6));
	slot->conns6.check = calloc(CONNECTIONS6, sizeof(*slot->conns6.check));
	slot->virtual_server_stats = calloc(16, sizeof(*slot->virtual_server_stats));
	slot->backend_stats = calloc(16, sizeof(*slot->backend_stats));
	root.worker[id] = slot;
}

static int set_up(void **state)
{
	struct rpc_config config;

	(void)state;
	memset(&root, 0, sizeof(root));
	memset(slots, 0, sizeof(slots));
	memset(&applied, 0, sizeof(applied));
	mempool = (struct rte_mempool){.size = 8};
	assert_int_equal(rte_mempool_set_ops_byname(&mempool, "test_rpc", NULL), 0);
	root.n_workers = 2;
	root.n_ports = 1;
	strcpy(root.port[0].name, "wan");
	root.port[0].mtu = 1500;
	root.port[0].mac = (struct rte_ether_addr){{0x02, 0xab, 0, 0, 0, 0xff}};
	root.port[0].link_up = 1;
	root.port[0].steering = SL_STEERING_EBPF;
	root.max_virtual_servers = root.max_backends = root.max_local_addresses = 16;
	slot_init(&slots[0], 0);
	slot_init(&slots[1], 1);
	ctrl.base = event_base_new();
	ctrl.slices = slices_new(ctrl.base);
	ctrl.model = model_new(&root);
	snprintf(path, sizeof(path), PATH_FORMAT, getpid());
	rpc_config_init(&config);
	strcpy(config.socket, path);
	rpc = rpc_new(&ctrl, &config);
	if (rpc)
		rpc_serve(rpc);
	return rpc ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	rpc_free(rpc);
	model_free(ctrl.model);
	slices_free(ctrl.slices);
	event_base_free(ctrl.base);
	for (unsigned int i = 0; i < 2; i++) {
		free(slots[i].conns.entry);
		free(slots[i].conns.check);
		free(slots[i].conns6.entry6);
		free(slots[i].conns6.check);
		free(slots[i].virtual_server_stats);
		free(slots[i].backend_stats);
	}
	return access(path, F_OK) ? 0 : -1; /* the socket's file is gone */
}

/* Send a request with JSON, further header fields included. */
static int post(const char *method, const char *fields, const char *json)
{
	int fd = client_connect(path);
	char text[2048];
	int n = snprintf(
		text, sizeof(text),
		"POST /sluice.v1.%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		"%sContent-Length: %zu\r\n\r\n%s",
		method, fields, strlen(json), json);

	client_send(ctrl.base, fd, text, n);
	return fd;
}

/* "<status> <body>", once it is here. */
static const char *answer(int fd)
{
	static char text[65536];
	const char *got = client_receive(ctrl.base, fd, "}", 1000), *body;
	int rest = 0;

	/* A body of nested objects comes in one piece, but let it all arrive. */
	while (strstr(got, "\r\n\r\n") &&
	       sscanf(strstr(got, "Content-Length: ") ?: "", "Content-Length: %d", &rest) == 1) {
		body = strstr(got, "\r\n\r\n") + 4;
		assert_int_equal(strlen(body), rest);
		snprintf(text, sizeof(text), "%.3s %s", got + 9, body);
		close(fd);
		return text;
	}
	close(fd);
	return got;
}

static const char *ask(const char *method, const char *json)
{
	return answer(post(method, "", json));
}

/* Let the played transaction end, with the model as it is then. */
static void apply_ends(enum problem_code code, const char *text)
{
	struct apply_result result = {.problem.code = code, .revision = 7, .created = 1};

	for (unsigned int i = 0; i < 100 && !applied.done; i++)
		client_pass(ctrl.base, 1);
	assert_non_null(applied.done);
	snprintf(result.problem.text, sizeof(result.problem.text), "%s", text);
	applied.done(applied.arg, &result);
	applied.done = NULL;
}

/* ---- tests ---- */

static void gets_and_lists(void **state)
{
	(void)state;
	add_pool("web");
	add_server("b", 2);
	add_server("a", 1);
	add_server("c", 3);
	assert_non_null(strstr(ask("VirtualServerService/GetVirtualServer", "{\"name\":\"b\"}"),
			       "200 {\"name\":\"b\",\"address\":\"192.0.2.80\",\"port\":2,"
			       "\"protocol\":\"PROTOCOL_TCP\",\"scheduler\":\"SCHEDULER_WRR\""));
	assert_string_equal(ask("VirtualServerService/GetVirtualServer", "{\"name\":\"x\"}"),
			    "404 {\"code\":\"not_found\",\"message\":\"virtual_servers[x]: not "
			    "found\"}");
	assert_non_null(strstr(ask("VirtualServerService/ListVirtualServers", "{\"pageSize\":2}"),
			       "\"nextPageToken\":\"b\"}"));
	assert_string_equal(
		strstr(ask("VirtualServerService/ListVirtualServers",
			   "{\"pageSize\":2,\"pageToken\":\"b\"}"),
		       "[{\"name\":"),
		strstr(ask("VirtualServerService/ListVirtualServers", "{\"pageToken\":\"b\"}"),
		       "[{\"name\":\"c\""));
	assert_string_equal(ask("VirtualServerService/ListVirtualServers", "{\"pageToken\":\"c\"}"),
			    "200 {}");
	/* google.rpc.BadRequest: field "page_token", description "not one of this API". */
	assert_string_equal(
		ask("VirtualServerService/ListVirtualServers", "{\"pageToken\":\"A b\"}"),
		"400 {\"code\":\"invalid_argument\",\"message\":\"page_token: not one of this "
		"API\",\"details\":[{\"type\":\"google.rpc.BadRequest\",\"value\":"
		"\"CiEKCnBhZ2VfdG9rZW4SE25vdCBvbmUgb2YgdGhpcyBBUEk\"}]}");
}

static void pools_have_their_backends(void **state)
{
	const char *text;

	(void)state;
	add_pool("web");
	add_pool("web-2");
	add_pool("empty");
	add_backend("web", "b1", "198.51.100.1");
	add_backend("web", "b2", "198.51.100.2");
	add_backend("web-2", "b1", "198.51.100.3");
	text = ask("BackendPoolService/GetBackendPool", "{\"name\":\"web\"}");
	assert_non_null(strstr(text, "\"name\":\"b1\",\"address\":\"198.51.100.1\",\"port\":80,"
				     "\"weight\":1"));
	assert_non_null(strstr(text, "\"name\":\"b2\""));
	assert_null(strstr(text, "198.51.100.3"));
	text = ask("BackendPoolService/ListBackends", "{\"backendPool\":\"web\",\"pageSize\":1}");
	assert_non_null(strstr(text, "\"nextPageToken\":\"b1\""));
	text = ask("BackendPoolService/ListBackends",
		   "{\"backendPool\":\"web\",\"pageToken\":\"b2\"}");
	assert_string_equal(text, "200 {}");
	text = ask("BackendPoolService/ListBackends", "{\"backendPool\":\"empty\"}");
	assert_string_equal(text, "200 {}");
	text = ask("BackendPoolService/ListBackends", "{\"backendPool\":\"none\"}");
	assert_string_equal(text, "404 {\"code\":\"not_found\",\"message\":\"backend_pools[none]: "
				  "not found\"}");
	text = ask("BackendPoolService/GetBackend", "{\"backendPool\":\"web\",\"name\":\"b9\"}");
	assert_string_equal(text, "404 {\"code\":\"not_found\",\"message\":\"backend_pools[web]."
				  "backends[b9]: not found\"}");
}

static void interfaces_show_their_port(void **state)
{
	(void)state;
	assert_non_null(strstr(ask("InterfaceService/GetInterface", "{\"name\":\"wan\"}"),
			       "{\"name\":\"wan\",\"mac\":\"02:ab:00:00:00:ff\",\"mtu\":1500,"
			       "\"linkUp\":true,\"steering\":\"ebpf\""));
}

static void changes_go_through_the_transaction(void **state)
{
	int fd = post("BackendPoolService/CreateBackend", "",
		      "{\"backendPool\":\"web\",\"backend\":{\"name\":\"b1\"},"
		      "\"validateOnly\":true}");
	char by[32];

	(void)state;
	add_pool("web");
	add_backend("web", "b1", "198.51.100.1");
	apply_ends(PROBLEM_NONE, "");
	assert_true(applied.request.validate_only);
	snprintf(by, sizeof(by), "by uid %u", getuid());
	assert_non_null(strstr(applied.seen, by));
	assert_int_equal(applied.request.op, APPLY_CREATE);
	assert_int_equal(applied.request.kind, RESOURCE_BACKEND);
	assert_non_null(strstr(applied.seen, "pool web"));
	assert_non_null(strstr(answer(fd), "200 {\"name\":\"b1\",\"address\":\"198.51.100.1\""));

	fd = post("RouteService/DeleteRoute", "", "{\"name\":\"r\",\"etag\":\"e\"}");
	apply_ends(PROBLEM_ABORTED, "routes[r]: changed");
	assert_non_null(strstr(applied.seen, "name r etag e"));
	assert_string_equal(answer(fd),
			    "409 {\"code\":\"aborted\",\"message\":\"routes[r]: changed\"}");

	assert_non_null(
		strstr(ask("RouteService/CreateRoute", "{}"),
		       "400 {\"code\":\"invalid_argument\",\"message\":\"route: missing\""));
	assert_non_null(
		strstr(ask("ConfigService/ApplyConfig", "{}"),
		       "400 {\"code\":\"invalid_argument\",\"message\":\"config: missing\""));
	problem_set(&applied.refuse, PROBLEM_UNAVAILABLE, "busy");
	assert_string_equal(ask("ConfigService/ApplyConfig", "{\"config\":{}}"),
			    "503 {\"code\":\"unavailable\",\"message\":\"busy\"}");
}

static void config_is_whole(void **state)
{
	const char *text;
	int fd;

	(void)state;
	add_pool("web");
	add_backend("web", "b1", "198.51.100.1");
	add_server("a", 1);
	ctrl.model->revision = 41;
	text = ask("ConfigService/GetConfig", "{}");
	assert_non_null(strstr(text, "200 {\"interfaces\":[{\"name\":\"wan\""));
	assert_non_null(strstr(text, "\"backendPools\":[{\"name\":\"web\",\"backends\":[{\"name\":"
				     "\"b1\""));
	assert_non_null(strstr(text, "\"virtualServers\":[{\"name\":\"a\""));
	assert_non_null(strstr(text, "\"revision\":\"41\",\"etag\":\""));
	fd = post("ConfigService/ApplyConfig", "", "{\"config\":{}}");
	apply_ends(PROBLEM_NONE, "");
	text = answer(fd);
	assert_non_null(strstr(text, "200 {\"revision\":\"7\",\"etag\":\""));
	assert_non_null(strstr(text, "\"created\":1}"));
}

/* A deadline answers; what the handler says later goes nowhere, and nothing is left behind. */
static void deadlines_answer(void **state)
{
	int fd = post("ConfigService/ApplyConfig", "Connect-Timeout-Ms: 30\r\n", "{\"config\":{}}");
	const char *text = answer(fd);

	(void)state;
	assert_non_null(strstr(text, "504 {\"code\":\"deadline_exceeded\""));
	apply_ends(PROBLEM_NONE, "");
	fd = post("ConfigService/ApplyConfig", "Connect-Timeout-Ms: 0\r\n", "{\"config\":{}}");
	assert_non_null(strstr(answer(fd), "400 {\"code\":\"invalid_argument\""));
	/* The same when the client does not wait. */
	fd = post("ConfigService/ApplyConfig", "", "{\"config\":{}}");
	client_pass(ctrl.base, 5);
	close(fd);
	client_pass(ctrl.base, 5);
	apply_ends(PROBLEM_NONE, "");
}

static const char *raw(const char *request)
{
	int fd = client_connect(path);

	client_send(ctrl.base, fd, request, strlen(request));
	return answer(fd);
}

#define FIELDS(type, more) \
	"Host: x\r\nContent-Type: " type "\r\n" more "Content-Length: 2\r\n\r\n{}"
#define LIST_WORKERS "/sluice.v1.WorkerService/ListWorkers HTTP/1.1\r\n"

static void refuses_by_protocol(void **state)
{
	static const struct {
		const char *request;
		const char *answer;
	} cases[] = {
		{"POST " LIST_WORKERS FIELDS("application/json; charset=UTF-8", ""), "200 {"},
		{"POST /sluice.v1.WorkerService/Nothing HTTP/1.1\r\n" FIELDS("application/json",
									     ""),
		 "404 {\"code\":\"unimplemented\",\"message\":\"/sluice.v1.WorkerService/Nothing "
		 "is "
		 "no method of this API\"}"},
		{"POST / HTTP/1.1\r\n" FIELDS("application/json", ""), "404 {"},
		{"POST * HTTP/1.1\r\n" FIELDS("application/json", ""), "404 {"},
		{"GET " LIST_WORKERS "Host: x\r\n\r\n", "405 {\"code\":\"unimplemented\""},
		{"POST " LIST_WORKERS FIELDS("text/plain", ""), "415 {\"code\":\"unimplemented\""},
		{"POST " LIST_WORKERS FIELDS("application/json; charset=latin1", ""), "415 {"},
		{"POST " LIST_WORKERS FIELDS("application/jsonx", ""), "415 {"},
		{"POST " LIST_WORKERS "Host: x\r\n\r\n", "415 {"},
		{"POST " LIST_WORKERS FIELDS("application/json", "Connect-Protocol-Version: 1\r\n"),
		 "200 {"},
		{"POST " LIST_WORKERS FIELDS("application/json", "Connect-Protocol-Version: 2\r\n"),
		 "400 {\"code\":\"invalid_argument\""},
		{"POST " LIST_WORKERS FIELDS("application/json", "Content-Encoding: gzip\r\n"),
		 "501 {\"code\":\"unimplemented\""},
		{"POST " LIST_WORKERS FIELDS("application/proto", ""),
		 "400 {\"code\":\"invalid_argument\",\"message\":\"ListWorkersRequest has no field "
		 "15\"}"},
		{"POST " LIST_WORKERS "Host: x\r\nContent-Length: 99999999\r\n\r\n", "413 "},
		{"garbage\r\n\r\n", "501 "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_non_null(strstr(raw(cases[i].request), cases[i].answer));
}

static void workers_are_shown_and_restarted(void **state)
{
	const char *text;
	int fd;

	(void)state;
	slots[1].supervisor.state = SL_WORKER_RUNNING;
	slots[1].supervisor.pid = 4711;
	strcpy(slots[1].supervisor.last_end, "killed by signal 9");
	slots[1].worker.snapshot_in_use = 5;
	slots[1].worker.revision = 3;
	slots[1].worker.content = 0xab;
	root.arena.current = SL_CURRENT(6, 1);
	text = ask("WorkerService/ListWorkers", "{}");
	assert_non_null(strstr(text, "{\"workers\":[{\"state\":\"down\"},{\"id\":1,\"state\":"
				     "\"running\",\"pid\":4711,\"cpu\":1,\"lastEnd\":\"killed by "
				     "signal 9\",\"generation\":\"5\",\"connections\":\"1\","
				     "\"revision\":\"3\",\"configEtag\":\"00000000000000ab\"}],"
				     "\"generation\":\"6\"}"));
	assert_string_equal(ask("WorkerService/RestartWorker", "{\"id\":2}"),
			    "404 {\"code\":\"not_found\",\"message\":\"workers[2]: there are 2 "
			    "workers\"}");
	assert_non_null(strstr(ask("WorkerService/RestartWorker", "{}"),
			       "400 {\"code\":\"invalid_argument\",\"message\":\"id: missing\""));
	fd = post("WorkerService/RestartWorker", "", "{\"id\":1}");
	client_pass(ctrl.base, 5);
	assert_int_equal(asked.worker, 1);
	asked.done(asked.arg, 0, "");
	assert_non_null(strstr(answer(fd), "200 {\"worker\":{\"id\":1"));
	fd = post("WorkerService/RestartWorker", "", "{\"id\":0}");
	client_pass(ctrl.base, 5);
	asked.done(asked.arg, -ECONNREFUSED, "the primary is not there");
	assert_string_equal(answer(fd), "503 {\"code\":\"unavailable\",\"message\":\"workers[0]: "
					"the primary is not there\"}");
}

static void a_worker_is_profiled(void **state)
{
	struct sl_worker_slot *slot = &slots[1];
	int fd;

	(void)state;
	assert_non_null(strstr(ask("WorkerService/ProfileWorker", "{}"),
			       "400 {\"code\":\"invalid_argument\",\"message\":\"id: missing\""));
	assert_non_null(strstr(ask("WorkerService/ProfileWorker", "{\"id\":2}"), "404 "));
	assert_non_null(
		strstr(ask("WorkerService/ProfileWorker", "{\"id\":1,\"milliseconds\":5001}"),
		       "milliseconds: 5001 is over 5000"));
	assert_non_null(strstr(ask("WorkerService/ProfileWorker", "{\"id\":1}"),
			       "workers[1]: it is not running"));
	slot->worker.running = 1;
	slot->profile.stage[SL_STAGE_PARSE].cycles = 1000;
	fd = post("WorkerService/ProfileWorker", "", "{\"id\":1,\"milliseconds\":20}");
	client_pass(ctrl.base, 5);
	assert_int_not_equal(slot->profile_until_ns, 0);
	slot->profile.stage[SL_STAGE_PARSE].cycles += 320;
	slot->profile.stage[SL_STAGE_PARSE].packets += 32;
	client_pass(ctrl.base, 40);
	assert_non_null(strstr(answer(fd), "{\"name\":\"parse\",\"cycles\":\"320\",\"packets\":"
					   "\"32\",\"text\":"));
	/* one that hangs */
	fd = post("WorkerService/ProfileWorker", "", "{\"id\":1,\"milliseconds\":1}");
	client_pass(ctrl.base, 20);
	assert_string_equal(answer(fd),
			    "503 {\"code\":\"unavailable\",\"message\":\"workers[1]: it "
			    "did not count\"}");
}

static void stats_go_by_reference(void **state)
{
	const struct resource *server, *backend;
	const char *text;

	(void)state;
	add_pool("web");
	backend = add_backend("web", "b1", "198.51.100.1");
	server = add_server("a", 1);
	slots[0].stats.drops[SL_DROP_NO_ROUTE] = 2;
	slots[1].stats.drops[SL_DROP_NO_ROUTE] = 3;
	slots[1].stats.port[0].rx_packets = 9;
	for (unsigned int w = 0; w < 2; w++) {
		slots[w].virtual_server_stats[SL_REF_ID(server->ref)].ref = server->ref;
		slots[w].virtual_server_stats[SL_REF_ID(server->ref)].connections = 10 + w;
		slots[w].backend_stats[SL_REF_ID(backend->ref)].bytes[SL_DIR_IN] = 100;
	}
	/* Worker 1's figures are of a former owner of the backend's id. */
	slots[0].backend_stats[SL_REF_ID(backend->ref)].ref = backend->ref;
	slots[1].backend_stats[SL_REF_ID(backend->ref)].ref = backend->ref ^ 1;
	text = ask("StatsService/GetStats", "{}");
	assert_non_null(strstr(text, "],\"drops\":[{\"name\":\"no_route\",\"value\":\"5\",\"text\":"
				     "\"no route to the destination\"}],\"ports\":[{\"name\":"
				     "\"wan\",\"rxPackets\":\"9\"}],\"virtualServers\":[{\"name\":"
				     "\"a\",\"connections\":\"21\"}],\"backends\":[{\"name\":"
				     "\"web/b1\",\"inBytes\":\"100\"}]}"));
	assert_non_null(
		strstr(text, "{\"name\":\"loops\",\"text\":\"turns of the worker's loop\"}"));
}

static void put_connection(unsigned int w, uint32_t i, uint32_t server, uint32_t backend)
{
	struct sl_conn *c = &slots[w].conns.entry[i];

	c->key[SL_DIR_IN] = (struct sl_tuple){.proto = IPPROTO_TCP,
					      .saddr = htonl(0xc0000202),
					      .daddr = htonl(0xc0000250),
					      .sport = htons(1000 + i % 100),
					      .dport = htons(80)};
	c->key[SL_DIR_OUT] = (struct sl_tuple){.proto = IPPROTO_TCP,
					       .saddr = htonl(0xc6336401),
					       .daddr = htonl(0xc633640a),
					       .sport = htons(8080),
					       .dport = htons(2000)};
	c->core.virtual_server = server;
	c->core.backend = backend;
	c->core.state = SL_CONN_ESTABLISHED;
	slots[w].conns.check[i] = 1;
}

static void connections_are_listed(void **state)
{
	const struct resource *server, *backend;
	const char *text;

	(void)state;
	add_pool("web");
	backend = add_backend("web", "b1", "198.51.100.1");
	server = add_server("a", 1);
	put_connection(0, 5, server->ref, backend->ref);
	put_connection(1, CONNECTIONS - 1, server->ref ^ 1, backend->ref);
	slots[0].conns.check[7] = 1; /* being written: not to be seen */
	slots[0].conns.entry[7].core.seq = 1;
	/* The scan is bounded: the second one is beyond the first page, though that has room. */
	text = ask("ConnectionService/ListConnections", "{}");
	assert_non_null(strstr(
		text, "200 {\"connections\":[{\"protocol\":\"PROTOCOL_TCP\",\"clientAddress\":"
		      "\"192.0.2.2\",\"clientPort\":1005,\"virtualAddress\":\"192.0.2.80\","
		      "\"virtualPort\":80,\"localAddress\":\"198.51.100.10\",\"localPort\":2000,"
		      "\"backendAddress\":\"198.51.100.1\",\"backendPort\":8080,\"state\":"
		      "\"established\","));
	assert_non_null(strstr(
		text, "\"virtualServer\":\"a\",\"backend\":\"web/b1\",\"mode\":\"fullnat\"}],"
		      "\"nextPageToken\":\"0:262144\"}"));
	assert_string_equal(
		ask("ConnectionService/ListConnections", "{\"pageToken\":\"0:262144\"}"),
		"200 {\"nextPageToken\":\"1:224272\"}");
	text = ask("ConnectionService/ListConnections", "{\"pageToken\":\"1:224272\"}");
	assert_non_null(strstr(text, "{\"worker\":1,"));
	assert_null(strstr(text, "nextPageToken"));
	assert_null(strstr(text, "virtualServer")); /* no longer configured */
	/* A full page ends where it is full. */
	put_connection(0, 6, server->ref, backend->ref);
	assert_non_null(strstr(ask("ConnectionService/ListConnections", "{\"pageSize\":1}"),
			       "\"nextPageToken\":\"0:6\"}"));
}

/* 2001:db8::`last`, as it stands in packets. */
static struct sl_addr six(uint32_t last)
{
	return (struct sl_addr){.w = {htonl(0x20010db8), 0, 0, htonl(last)}};
}

/* They come after a worker's IPv4 connections. */
static void connections_over_ipv6(void **state)
{
	struct sl_conn6 *c = &slots[0].conns6.entry6[1];
	const char *text;

	(void)state;
	c->key[SL_DIR_IN] = (struct sl_tuple6){.proto = IPPROTO_UDP,
					       .saddr = six(2),
					       .daddr = six(0x80),
					       .sport = htons(1005),
					       .dport = htons(53)};
	c->key[SL_DIR_OUT] = (struct sl_tuple6){.proto = IPPROTO_UDP,
						.saddr = six(0x10001),
						.daddr = six(0xa),
						.sport = htons(5353),
						.dport = htons(2000)};
	c->core.state = SL_CONN_UDP;
	slots[0].conns6.check[1] = 1;
	slots[0].conns6.n_free--;
	text = ask("ConnectionService/ListConnections",
		   "{\"pageToken\":\"0:262144\",\"clientAddress\":\"2001:DB8:0::2\"}");
	assert_non_null(strstr(
		text, "200 {\"connections\":[{\"protocol\":\"PROTOCOL_UDP\",\"clientAddress\":"
		      "\"2001:db8::2\",\"clientPort\":1005,\"virtualAddress\":\"2001:db8::80\","
		      "\"virtualPort\":53,\"localAddress\":\"2001:db8::a\",\"localPort\":2000,"
		      "\"backendAddress\":\"2001:db8::1:1\",\"backendPort\":5353,\"state\":"
		      "\"udp\","));
	text = ask("ConnectionService/ListConnections",
		   "{\"pageToken\":\"0:262144\",\"clientAddress\":\"2001:db8::3\"}");
	assert_null(strstr(text, "clientAddress"));
	assert_non_null(strstr(ask("StatsService/GetStats", "{}"), "\"connectionsIpv6\":\"1\""));
}

static void connections_are_filtered(void **state)
{
	static const struct {
		const char *filter;
		bool fits;
	} cases[] = {
		{"{\"virtualServer\":\"a\"}", true},
		{"{\"virtualServer\":\"b\"}", false},
		{"{\"backend\":\"web/b1\"}", true},
		{"{\"clientAddress\":\"192.0.2.2\"}", true},
		{"{\"clientAddress\":\"192.0.2.3\"}", false},
		{"{\"protocol\":\"tcp\"}", true},
		{"{\"protocol\":\"udp\"}", false},
		{"{\"state\":\"established\"}", true},
		{"{\"state\":\"close\"}", false},
		{"{\"state\":\"established\",\"protocol\":\"udp\"}", false},
	};
	static const char *const refused[] = {
		"{\"virtualServer\":\"x\"}", "{\"backend\":\"b1\"}",
		"{\"clientAddress\":\"x\"}", "{\"protocol\":9}",
		"{\"state\":\"x\"}",         "{\"state\":\"none\"}",
		"{\"pageToken\":\"2:0\"}",   "{\"pageToken\":\"0: 1\"}",
		"{\"pageToken\":\"1\"}",
	};
	const struct resource *server, *backend;

	(void)state;
	add_pool("web");
	backend = add_backend("web", "b1", "198.51.100.1");
	server = add_server("a", 1);
	add_server("b", 2);
	put_connection(0, 5, server->ref, backend->ref);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(strstr(ask("ConnectionService/ListConnections", cases[i].filter),
					"clientAddress") != NULL,
				 cases[i].fits);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_int_equal(ask("ConnectionService/ListConnections", refused[i])[0], '4');
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(gets_and_lists),
		TEST(pools_have_their_backends),
		TEST(interfaces_show_their_port),
		TEST(changes_go_through_the_transaction),
		TEST(config_is_whole),
		TEST(deadlines_answer),
		TEST(refuses_by_protocol),
		TEST(workers_are_shown_and_restarted),
		TEST(a_worker_is_profiled),
		TEST(stats_go_by_reference),
		TEST(connections_are_listed),
		TEST(connections_over_ipv6),
		TEST(connections_are_filtered),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
