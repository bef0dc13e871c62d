/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * At most MAX_CLIENTS connections; one more is closed at once. A client has one
 * restart in progress; its answer comes when the worker runs again.
 */
#include "primary/rpc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <sluice/log.h>
#include <sluice/primary_rpc.h>

#include "primary/eal.h"
#include "primary/poller.h"
#include "primary/steering.h"
#include "primary/supervisor.h"

SL_LOG_TYPE(rpc_log, "sluice.primary.rpc");

#define MAX_CLIENTS 16

struct client {
	struct poller_fd event; /* first, so that an event is its client; fd -1: free */
	uint64_t restart_id;
};

static struct client clients[MAX_CLIENTS];
static struct poller_fd listener = {.fd = -1};
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static struct sl_root *root;

static void drop(struct client *c)
{
	supervisor_forget(c);
	poller_remove(&c->event);
	close(c->event.fd);
	c->event.fd = -1;
}

/* A client that does not read its answers loses them. */
static void answer(struct client *c, uint64_t id, int status, const char *text)
{
	struct sl_primary_answer a = {.id = id, .status = status};

	snprintf(a.text, sizeof(a.text), "%s", text);
	send(c->event.fd, &a, sizeof(a), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void restarted(void *arg, int status, const char *text)
{
	struct client *c = arg;

	answer(c, c->restart_id, status, text);
}

static void restart(struct client *c, const struct sl_primary_request *r)
{
	int rc = supervisor_restart(r->argument, restarted, c);

	if (!rc)
		c->restart_id = r->id;
	else
		answer(c, r->id, rc,
		       rc == -EINVAL ? "there is no such worker"
				     : "the worker is being restarted, or the primary stops");
}

static void handle(struct client *c, const struct sl_primary_request *r)
{
	switch (r->op) {
	case SL_PRIMARY_RESTART_WORKER: restart(c, r); return;
	case SL_PRIMARY_SNAPSHOT: steering_refresh(root); break;
	case SL_PRIMARY_REPAIR_EAL: eal_repair(); break;
	default: answer(c, r->id, -EINVAL, "there is no such operation"); return;
	}
	answer(c, r->id, 0, "");
}

static void client_ready(struct poller_fd *e)
{
	struct client *c = (struct client *)e;
	struct sl_primary_request r = {0};
	ssize_t n = recv(e->fd, &r, sizeof(r), MSG_DONTWAIT | MSG_TRUNC);

	if (n == sizeof(r))
		handle(c, &r);
	else if (n > 0)
		answer(c, r.id, -EINVAL, "a request has another size");
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		drop(c);
}

static void listener_ready(struct poller_fd *e)
{
	int fd = accept4(e->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	for (unsigned int i = 0; i < MAX_CLIENTS; i++) {
		struct client *c = &clients[i];

		if (c->event.fd >= 0)
			continue;
		c->event = (struct poller_fd){.fd = fd, .ready = client_ready};
		if (poller_add(&c->event))
			break;
		return;
	}
	close(fd);
}

static int listen_on_socket(void)
{
	mode_t mask = umask(0177);
	int rc = 0;

	unlink(address.sun_path); /* left by a primary that was killed; we hold its lock */
	if (bind(listener.fd, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener.fd, MAX_CLIENTS))
		rc = -errno;
	umask(mask);
	return rc ? rc : poller_add(&listener);
}

int rpc_start(const char *runtime_dir, struct sl_root *shared)
{
	int rc;

	root = shared;
	for (unsigned int i = 0; i < MAX_CLIENTS; i++)
		clients[i].event.fd = -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/primary.sock", runtime_dir);
	listener.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	listener.ready = listener_ready;
	rc = listener.fd < 0 ? -errno : listen_on_socket();
	if (rc)
		sl_log(rpc_log, ERR, "%s: %s", address.sun_path, strerror(-rc));
	return rc;
}

void rpc_stop(void)
{
	for (unsigned int i = 0; i < MAX_CLIENTS; i++)
		if (clients[i].event.fd >= 0)
			drop(&clients[i]);
	if (listener.fd >= 0) {
		close(listener.fd);
		unlink(address.sun_path);
	}
	listener.fd = -1;
}
