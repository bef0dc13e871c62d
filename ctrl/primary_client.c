/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/primary_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

struct request {
	LIST_ENTRY(request) link;
	struct primary_client *client;
	struct event *event;
	int fd;     /* -1: the request failed at once */
	int status; /* why it failed at once */
	struct sl_primary_request message;
	primary_done_fn done;
	void *arg;
};

struct primary_client {
	struct event_base *base;
	struct sockaddr_un address;
	uint64_t last_id;
	LIST_HEAD(, request) requests;
};

static void request_free(struct request *r)
{
	LIST_REMOVE(r, link);
	if (r->event)
		event_free(r->event);
	if (r->fd >= 0)
		close(r->fd);
	free(r);
}

static void finish(struct request *r, int status, const char *text)
{
	primary_done_fn done = r->done;
	void *arg = r->arg;

	request_free(r);
	done(arg, status, text);
}

static void read_answer(struct request *r)
{
	struct sl_primary_answer answer;
	ssize_t n = recv(r->fd, &answer, sizeof(answer), MSG_DONTWAIT | MSG_TRUNC);

	if (n == 0) {
		finish(r, -ECONNRESET, "the primary ended before it answered");
	} else if (n < 0) {
		finish(r, -errno, strerror(errno));
	} else if (n != sizeof(answer) || answer.id != r->message.id) {
		finish(r, -EPROTO, "the primary's answer is not one to this request");
	} else {
		answer.text[sizeof(answer.text) - 1] = '\0';
		finish(r, answer.status, answer.text);
	}
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct request *r = arg;

	if (fd < 0)
		finish(r, r->status, strerror(-r->status));
	else if (what & EV_TIMEOUT)
		finish(r, -ETIMEDOUT, "the primary did not answer in time");
	else
		read_answer(r);
}

/* Connect and send; both are immediate on a unix socket, or fail. */
static int request_send(struct request *r)
{
	const struct sockaddr_un *to = &r->client->address;

	r->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (r->fd < 0)
		return -errno;
	if (connect(r->fd, (const struct sockaddr *)to, sizeof(*to)) ||
	    send(r->fd, &r->message, sizeof(r->message), MSG_NOSIGNAL) !=
		    (ssize_t)sizeof(r->message)) {
		int rc = -errno;

		close(r->fd);
		r->fd = -1;
		return rc;
	}
	return 0;
}

int primary_request(struct primary_client *client, enum sl_primary_op op, uint32_t argument,
		    unsigned int timeout_ms, primary_done_fn done, void *arg)
{
	struct request *r = calloc(1, sizeof(*r));
	struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000};

	if (!r)
		return -ENOMEM;
	r->client = client;
	r->message = (struct sl_primary_request){++client->last_id, op, argument};
	r->done = done;
	r->arg = arg;
	LIST_INSERT_HEAD(&client->requests, r, link);
	r->status = request_send(r);
	if (r->status)
		timeout = (struct timeval){0};
	r->event = event_new(client->base, r->fd, r->fd < 0 ? 0 : EV_READ, on_event, r);
	if (!r->event || event_add(r->event, &timeout)) {
		request_free(r);
		return -ENOMEM;
	}
	return 0;
}

struct primary_client *primary_client_new(struct event_base *base, const char *runtime_dir)
{
	struct primary_client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	client->base = base;
	client->address.sun_family = AF_UNIX;
	if (snprintf(client->address.sun_path, sizeof(client->address.sun_path), "%s/primary.sock",
		     runtime_dir) >= (int)sizeof(client->address.sun_path)) {
		free(client);
		errno = ENAMETOOLONG;
		return NULL;
	}
	LIST_INIT(&client->requests);
	return client;
}

void primary_client_free(struct primary_client *client)
{
	struct request *r;

	if (!client)
		return;
	while ((r = LIST_FIRST(&client->requests)))
		request_free(r);
	free(client);
}
