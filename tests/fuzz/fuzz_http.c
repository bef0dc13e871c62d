/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections of the API: HTTP/1.1 and Connect, HTTP/2 and gRPC, down to the handlers, on a real
 * socket; changes of the configuration, the primary and the store are played. First byte: bit 0
 * begins with HTTP/2's preface and settings, bit 1 closes the sending side at the end, bit 2 does
 * not read answers, bit 3 leaves in the middle of them. Second byte: in pieces of so many bytes.
 *
 * When the client has left, the connection, its memory and its calls are gone, and the next
 * client is served.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <rte_mempool.h>

#include "ctrl/apply.h"
#include "ctrl/commands.h"
#include "ctrl/ctrl.h"
#include "ctrl/events.h"
#include "ctrl/history.h"
#include "ctrl/model.h"
#include "ctrl/primary_client.h"
#include "ctrl/rpc/call.h"
#include "ctrl/rpc/exchange.h"
#include "ctrl/rpc/http_conn.h"
#include "ctrl/rpc/protocol.h"
#include "ctrl/rpc/serve.h"
#include "ctrl/rpc/services.h"
#include "ctrl/slices.h"
#include "ctrl/store.h"
#include "ctrl/store_schema.h"
#include "ctrl/upload.h"
#include "tests/fuzz/lib/fuzz.h"
#include "tests/unit/lib/ctrl_bed.h"

#define MIB   ((size_t)1024 * 1024)
#define TURNS 4 /* of the event loop for a piece */

static struct rpc_budget budget = {64 * MIB};
static struct ctrl ctrl;
static struct serve serve;
static struct http_server *server;
static struct http_listener listener;
static struct sl_pool pool;
static struct rte_mempool mempool;

/* ---- played ---- */

int apply_submit(struct apply *apply, const struct apply_request *request, apply_done_fn done,
		 void *arg, struct problem *why)
{
	(void)apply;
	(void)request;
	(void)done;
	(void)arg;
	return problem_set(why, PROBLEM_UNAVAILABLE, "not now");
}

void apply_audit(struct apply *apply, const struct store_audit *entry)
{
	(void)apply;
	FUZZ_CHECK(entry->method && entry->caller, "an entry about nobody");
}

int primary_request(struct primary_client *client, enum sl_primary_op op, uint32_t argument,
		    unsigned int timeout_ms, primary_done_fn done, void *arg)
{
	(void)client;
	(void)op;
	(void)timeout_ms;
	(void)done;
	(void)arg;
	FUZZ_CHECK(argument < ctrl.root->n_workers, "worker %u", argument);
	return -ENOMEM;
}

/* Tasks are done at once, on a store that has nothing. */
static sqlite3 *database;

void history_run(struct history *history, struct background_task *task)
{
	(void)history;
	task->work(task);
	task->done(task);
}

struct sqlite3 *history_database(struct history *history)
{
	(void)history;
	return database;
}

static struct upload *upload;

struct upload *history_upload(struct history *history)
{
	(void)history;
	return upload;
}

static unsigned int pool_count(const struct rte_mempool *mp)
{
	return mp->size;
}

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

static const struct rte_mempool_ops pool_ops = {
	.name = "fuzz_http",
	.alloc = pool_nothing,
	.enqueue = pool_put,
	.dequeue = pool_get,
	.get_count = pool_count,
};
RTE_MEMPOOL_REGISTER_OPS(pool_ops)

/* ---- the server ---- */

static void on_request(struct http_exchange *x, void *arg)
{
	(void)arg;
	serve_request(&serve, x);
}

static void on_refused(struct http_exchange *x, int status, const char *why, void *arg)
{
	(void)arg;
	FUZZ_CHECK(why && *why, "refused without a reason");
	protocol_refuse(x, status, PROBLEM_INVALID_ARGUMENT, why);
}

static void on_gone(struct http_exchange *x, void *arg)
{
	struct exchange *exchange = http_data(x);

	(void)arg;
	if (exchange)
		exchange->gone(exchange);
}

static void on_drained(struct http_exchange *x, void *arg)
{
	struct exchange *exchange = http_data(x);

	(void)arg;
	if (exchange)
		exchange->drained(exchange);
}

static void identify(struct caller *caller, int fd, struct ssl_st *tls, void *arg)
{
	(void)fd;
	(void)tls;
	(void)arg;
	caller->role = CALLER_ADMIN;
}

static void make_workers(struct sl_root *root)
{
	mempool.size = 8;
	FUZZ_CHECK(!rte_mempool_set_ops_byname(&mempool, "fuzz_http", NULL), "ops");
	for (unsigned int i = 0; i < root->n_workers; i++) {
		struct sl_worker_slot *slot = root->worker[i];

		slot->mempool = &mempool;
		slot->pool = &pool;
		slot->conns.capacity = slot->conns.n_free = 64;
		slot->conns.entry = calloc(64, sizeof(*slot->conns.entry));
		slot->conns.check = calloc(64, sizeof(*slot->conns.check));
		slot->virtual_server_stats = calloc(64, sizeof(*slot->virtual_server_stats));
		slot->backend_stats = calloc(256, sizeof(*slot->backend_stats));
	}
}

static void make_ctrl(void)
{
	struct problem why;
	char path[128];

	snprintf(path, sizeof(path), "%s/fuzz.db", getenv("TMPDIR") ?: "/tmp");
	ctrl.root = bed_root_new();
	make_workers(ctrl.root);
	ctrl.base = event_base_new();
	ctrl.model = model_new(ctrl.root);
	ctrl.commands = commands_new(ctrl.root);
	ctrl.slices = slices_new(ctrl.base);
	FUZZ_CHECK(ctrl.base && ctrl.model && ctrl.commands && ctrl.slices, "memory");
	ctrl.events = events_new(&ctrl);
	FUZZ_CHECK(ctrl.events, "memory");
	FUZZ_CHECK(!bed_config(ctrl.model, bed_good, NULL, &why), "%s", why.text);
	FUZZ_CHECK(store_schema_open(":memory:", &database, &why) == 0, "%s", why.text);
	upload = upload_new(path);
	FUZZ_CHECK(upload, "memory");
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct http_limits limits = {
		.connections = 4,
		.connections_per_peer = 4,
		.streams = 8,
		.head = 16384,
		.body = 64 * 1024,
		.idle = 60,
		.request = 30,
		.reply = 30,
	};
	static const struct http_handler handler = {
		.request = on_request,
		.refused = on_refused,
		.gone = on_gone,
		.drained = on_drained,
		.identify = identify,
	};

	(void)argc;
	(void)argv;
	signal(SIGPIPE, SIG_IGN);
	FUZZ_CHECK(!rpc_services_unfit(), "%s", rpc_services_unfit());
	make_ctrl();
	serve.ctrl = &ctrl;
	serve.budget = &budget;
	serve.arena_limit = 16 * MIB;
	serve.background = background_new(ctrl.base);
	LIST_INIT(&serve.servings);
	server = http_server_new(ctrl.base, &limits, &budget, &handler);
	FUZZ_CHECK(server && serve.background, "the server");
	listener.server = server;
	return 0;
}

/* ---- the client ---- */

static int begin(void)
{
	int fds[2];

	FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), "%s",
		   strerror(errno));
	FUZZ_CHECK(http_conn_new(&listener, fds[1]), "not accepted");
	return fds[0];
}

static void turn(int fd, int reads)
{
	char answer[16384];

	for (int i = 0; i < TURNS; i++) {
		event_base_loop(ctrl.base, EVLOOP_NONBLOCK);
		while (reads && recv(fd, answer, sizeof(answer), 0) > 0)
			;
	}
}

static void pass(int fd, const void *bytes, size_t len, size_t piece, int reads)
{
	const char *at = bytes;

	while (len) {
		size_t n = piece && piece < len ? piece : len;
		ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);

		if (sent <= 0) /* the server has had enough */
			return;
		at += sent;
		len -= (size_t)sent;
		turn(fd, reads);
	}
}

/* Nothing is left of it, not even what runs on the thread. */
static void check_gone(void)
{
	for (int ms = 0; ms < 2000; ms++) {
		event_base_loop(ctrl.base, EVLOOP_NONBLOCK);
		if (!http_server_counts(server).connections && budget.left == 64 * MIB &&
		    LIST_EMPTY(&serve.servings))
			return;
		usleep(1000);
	}
	FUZZ_CHECK(!http_server_counts(server).connections, "the connection stays");
	FUZZ_CHECK(LIST_EMPTY(&serve.servings), "a call stays");
	FUZZ_CHECK(budget.left == 64 * MIB, "%zu bytes stay", 64 * MIB - budget.left);
}

static void end(int fd)
{
	close(fd);
	check_gone();
}

static void check_serves(void)
{
	static const char call[] = "POST /sluice.v1.ConfigService/GetConfig HTTP/1.1\r\n"
				   "Host: x\r\nContent-Type: application/json\r\n"
				   "Content-Length: 2\r\n\r\n{}";
	char answer[16] = "";
	int fd = begin();

	pass(fd, call, sizeof(call) - 1, 0, 0);
	FUZZ_CHECK(recv(fd, answer, 12, 0) == 12 && !strcmp(answer, "HTTP/1.1 200"), "answers %s",
		   answer);
	end(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* The preface, an empty SETTINGS and its acknowledgement. */
	static const char http2[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
				    "\0\0\0\4\0\0\0\0\0\0\0\0\4\1\0\0\0\0";
	int fd, reads;

	if (len < 2)
		return 0;
	reads = !(data[0] & 4);
	fd = begin();
	if (data[0] & 1)
		pass(fd, http2, sizeof(http2) - 1, 0, reads);
	pass(fd, data + 2, len - 2, data[1], reads);
	if (data[0] & 2)
		shutdown(fd, SHUT_WR);
	if (!(data[0] & 8))
		turn(fd, reads);
	end(fd);
	upload_end(upload);
	if (data[1] == 1)
		check_serves();
	return 0;
}
