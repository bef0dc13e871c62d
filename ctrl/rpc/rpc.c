/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/rpc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include <sluice/log.h>

#include "ctrl/rpc/exchange.h"
#include "ctrl/rpc/metrics.h"
#include "ctrl/rpc/protocol.h"
#include "ctrl/rpc/serve.h"
#include "ctrl/rpc/services.h"
#include "ctrl/rpc/tcp_socket.h"
#include "ctrl/rpc/tls.h"
#include "ctrl/rpc/unix_socket.h"

SL_LOG_TYPE(rpc_log, "sluice.ctrl.rpc");

#define MIB         (1024 * 1024)

#define ARENA_LIMIT (128 * (size_t)MIB) /* of one call's messages */

/*
 * What requests may hold at a time: bodies that arrive, messages decoded. Of the process rather
 * than of one struct rpc, because a call that a handler still holds outlives that.
 */
static struct rpc_budget budget = {.left = 256 * (size_t)MIB};

struct rpc {
	struct rpc_config config;
	struct serve serve;
	struct http_server *server;
	struct metrics metrics;
	SSL_CTX *tls;
};

void rpc_config_init(struct rpc_config *config)
{
	*config = (struct rpc_config){
		.metrics_series = 50000,
		.limits =
			{
				.connections = 1024,
				.connections_per_peer = 768,
				.streams = 128,
				.head = 16384,
				/* Enough over it that serve.c is who refuses. */
				.body = SERVE_MESSAGE_MAX + 256 * 1024,
				.idle = 60,
				.request = 30,
				.reply = 30,
			},
	};
}

/* ---- requests ---- */

static void on_request(struct http_exchange *x, void *arg)
{
	struct rpc *rpc = arg;

	if (!metrics_request(&rpc->metrics, x))
		serve_request(&rpc->serve, x);
}

/* What is wrong below the protocols, in the words of one. */
static void on_refused(struct http_exchange *x, int status, const char *why, void *arg)
{
	(void)arg;
	protocol_refuse(x, status,
			status == 501 || status == 505 ? PROBLEM_UNIMPLEMENTED
			: status == 413 || status == 431 || status == 503
				? PROBLEM_RESOURCE_EXHAUSTED
				: PROBLEM_INVALID_ARGUMENT,
			why);
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
	const struct rpc *rpc = arg;

	caller->role = roles_find(&rpc->config.roles, caller, fd, tls);
}

/* ---- its life ---- */

static int failed(const char *what, int rc)
{
	sl_log(rpc_log, ERR, "%s: %s", what, strerror(-rc));
	return rc;
}

static int listen_tcp(struct rpc *rpc)
{
	const struct rpc_config *config = &rpc->config;
	struct problem why;

	if (!config->n_listen)
		return 0;
	rpc->tls = tls_context_new(config->certificate, config->key, config->client_ca, &why);
	if (!rpc->tls) {
		sl_log(rpc_log, ERR, "%s", why.text);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < config->n_listen; i++) {
		int fd = tcp_socket_listen(config->listen[i]);
		int rc = fd < 0 ? fd : http_server_listen(rpc->server, fd, rpc->tls);

		if (rc)
			return failed(config->listen[i], rc);
	}
	return 0;
}

/* Each connection takes one, and the daemon has others. */
static void raise_descriptors(unsigned int connections)
{
	struct rlimit limit;
	rlim_t wanted = connections + 512;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int serve_all(struct rpc *rpc, struct ctrl *ctrl)
{
	const struct http_handler handler = {
		.request = on_request,
		.refused = on_refused,
		.gone = on_gone,
		.drained = on_drained,
		.identify = identify,
		.arg = rpc,
	};
	int fd, rc;

	raise_descriptors(rpc->config.limits.connections);
	rpc->serve.background = background_new(ctrl->base);
	rpc->server = http_server_new(ctrl->base, &rpc->config.limits, &budget, &handler);
	rpc->metrics = (struct metrics){ctrl, rpc->server, &budget, rpc->config.metrics_series};
	if (!rpc->serve.background || !rpc->server)
		return failed("the API", -ENOMEM);
	/* The unix socket last: whoever waits for it finds the others, too. */
	rc = listen_tcp(rpc);
	if (rc)
		return rc;
	fd = unix_socket_listen(rpc->config.socket, 0660);
	rc = fd < 0 ? fd : http_server_listen(rpc->server, fd, NULL);
	return rc ? failed(rpc->config.socket, rc) : 0;
}

static void parts_free(struct rpc *rpc)
{
	http_server_free(rpc->server);
	background_free(rpc->serve.background);
	serve_end(&rpc->serve);
	SSL_CTX_free(rpc->tls);
	free(rpc);
}

struct rpc *rpc_new(struct ctrl *ctrl, const struct rpc_config *config)
{
	const char *unfit = rpc_services_unfit();
	struct rpc *rpc = calloc(1, sizeof(*rpc));
	int rc;

	if (unfit || !rpc) {
		sl_log(rpc_log, ERR, "the API: %s", unfit ?: "out of memory");
		free(rpc);
		errno = unfit ? EPROTO : ENOMEM;
		return NULL;
	}
	rpc->config = *config;
	rpc->serve.ctrl = ctrl;
	rpc->serve.budget = &budget;
	rpc->serve.arena_limit = ARENA_LIMIT;
	LIST_INIT(&rpc->serve.servings);
	rc = serve_all(rpc, ctrl);
	if (!rc)
		return rpc;
	parts_free(rpc);
	errno = -rc;
	return NULL;
}

void rpc_serve(struct rpc *rpc)
{
	http_server_start(rpc->server);
}

void rpc_free(struct rpc *rpc)
{
	if (!rpc)
		return;
	unlink(rpc->config.socket);
	parts_free(rpc);
}
