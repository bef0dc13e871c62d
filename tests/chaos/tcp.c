/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Long-lived connections. Each sends a message, waits for the server's, rests, goes on. A message's
 * length and bytes follow from its connection, its number and who sends it, so both ends check
 * every byte. One thread for the clients, one for the servers.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/chaos/load.h"

#define MIN_MESSAGE 64
#define MAX_MESSAGE 3072 /* always fits an empty send buffer; several segments */
#define REST_NS     UINT64_C(1000000000)
#define LATE_NS     UINT64_C(1000000000)
#define RETRY_NS    UINT64_C(200000000)
#define TURN_MS     5
#define EVENTS      64

enum side { CLIENT, SERVER };

struct message {
	uint64_t connection;
	uint64_t number; /* from 1 */
	uint64_t data[(MAX_MESSAGE - 16) / 8];
};

/* One end of a connection. */
struct end {
	int fd;
	enum side from;      /* whose messages come in */
	uint64_t number;     /* of the message that is due next, or on its way */
	uint64_t connection; /* servers: known from the first message */
	size_t have;         /* bytes of it */
	struct message in;
	bool established; /* clients */
	bool waiting;     /* clients: for the answer, or for the connection */
	uint64_t since;   /* clients: when that began, or when the next message is due */
};

static const struct load_config *config;
static struct end *clients;
static atomic_bool held;
static atomic_uint_fast64_t broken, wrong, exchanges;
static atomic_uint n_open, n_late;
static int client_epoll, server_epoll;

/* ---- messages --------------------------------------------------------------------------- */

static size_t length_of(uint64_t connection, uint64_t number, enum side from)
{
	uint64_t r = mix(mix(connection << 1 | from) ^ number);

	return (MIN_MESSAGE + r % (MAX_MESSAGE - MIN_MESSAGE)) & ~(size_t)7;
}

static void make(struct message *m, uint64_t connection, uint64_t number, enum side from)
{
	size_t words = (length_of(connection, number, from) - 16) / 8;
	uint64_t seed = mix(connection << 33 ^ number << 1 ^ from);

	m->connection = connection;
	m->number = number;
	for (size_t i = 0; i < words; i++)
		m->data[i] = seed = mix(seed);
}

static bool say(int fd, uint64_t connection, uint64_t number, enum side from)
{
	size_t length = length_of(connection, number, from);
	struct message m;

	make(&m, connection, number, from);
	return send(fd, &m, length, MSG_DONTWAIT) == (ssize_t)length;
}

/* Bytes that the message still lacks, as far as is known. */
static size_t missing(const struct end *e)
{
	if (e->have < 16)
		return 16 - e->have;
	return length_of(e->in.connection, e->in.number, e->from) - e->have;
}

static bool as_sent(const struct end *e)
{
	struct message wanted;

	make(&wanted, e->connection, e->number, e->from);
	return !memcmp(&e->in, &wanted, length_of(e->connection, e->number, e->from));
}

enum got { GOT_PART, GOT_MESSAGE, GOT_END, GOT_WRONG };

static enum got hear(struct end *e)
{
	while (missing(e)) {
		ssize_t n = recv(e->fd, (char *)&e->in + e->have, missing(e), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return GOT_PART;
		if (n <= 0)
			return GOT_END;
		e->have += (size_t)n;
		if (e->have != 16)
			continue;
		if (e->from == CLIENT && e->number == 1)
			e->connection = e->in.connection; /* of a new one */
		if (e->in.connection != e->connection || e->in.number != e->number)
			return GOT_WRONG;
	}
	e->have = 0;
	return as_sent(e) ? GOT_MESSAGE : GOT_WRONG;
}

/* ---- clients ---------------------------------------------------------------------------- */

static void begin(struct end *c)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_addr = config->virtual,
				 .sin_port = htons(config->port)};
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};

	c->fd = open_socket(SOCK_STREAM, config->client, 0);
	c->from = SERVER;
	c->number = 1;
	c->have = 0;
	c->established = false;
	c->waiting = true;
	c->since = now_ns();
	connect(c->fd, (struct sockaddr *)&to, sizeof(to)); /* the answer comes as an event */
	epoll_ctl(client_epoll, EPOLL_CTL_ADD, c->fd, &event);
}

/* Another one is opened in its place. */
static void end(struct end *c)
{
	broken += c->established;
	n_open -= c->established;
	close(c->fd);
	c->fd = -1;
	c->established = c->waiting = false;
	c->since = now_ns() + RETRY_NS;
}

static void speak(struct end *c)
{
	c->waiting = true;
	c->since = now_ns();
	if (!say(c->fd, c->connection, c->number, CLIENT))
		end(c);
}

static void answered(struct end *c)
{
	exchanges++;
	c->number++;
	c->waiting = false;
	c->since = now_ns() + REST_NS;
}

static void client_event(struct end *c, uint32_t events)
{
	if (!c->established && (events & EPOLLOUT) && !(events & (EPOLLERR | EPOLLHUP))) {
		c->established = true;
		n_open++;
		speak(c);
		return;
	}
	if (!(events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		return;
	switch (c->established ? hear(c) : GOT_END) {
	case GOT_PART: return;
	case GOT_MESSAGE: answered(c); return;
	case GOT_WRONG: wrong++; /* fall through */
	case GOT_END: end(c);
	}
}

/* Whose turn it is by the clock. */
static void clients_due(void)
{
	uint64_t now = now_ns();
	unsigned int late = 0;

	for (unsigned int i = 0; i < config->connections; i++) {
		struct end *c = &clients[i];

		if (c->waiting) {
			late += now - c->since > LATE_NS;
			continue;
		}
		if (now < c->since || atomic_load(&held))
			continue;
		if (c->fd < 0)
			begin(c);
		else
			speak(c);
	}
	atomic_store(&n_late, late);
}

static void *run_clients(void *unused)
{
	(void)unused;
	for (unsigned int i = 0; i < config->connections; i++)
		clients[i].since = now_ns() + REST_NS * i / config->connections;
	for (;;) {
		struct epoll_event ready[EVENTS];
		int n = epoll_wait(client_epoll, ready, EVENTS, TURN_MS);

		for (int i = 0; i < n; i++)
			client_event(ready[i].data.ptr, ready[i].events);
		clients_due();
	}
	return NULL;
}

/* ---- servers ---------------------------------------------------------------------------- */

static void accept_all(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		struct end *s = calloc(1, sizeof(*s));
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};

		if (!s)
			die("memory");
		s->fd = fd;
		s->from = CLIENT;
		s->number = 1;
		epoll_ctl(server_epoll, EPOLL_CTL_ADD, fd, &event);
	}
}

static void server_event(struct end *s)
{
	enum got got = hear(s);

	if (got == GOT_PART)
		return;
	wrong += got == GOT_WRONG;
	if (got == GOT_MESSAGE && say(s->fd, s->connection, s->number, SERVER)) {
		s->number++;
		return;
	}
	close(s->fd);
	free(s);
}

static void *run_servers(void *listeners)
{
	int *listener = listeners;

	for (;;) {
		struct epoll_event ready[EVENTS];
		int n = epoll_wait(server_epoll, ready, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (ready[i].data.ptr)
				server_event(ready[i].data.ptr);
			for (unsigned int k = 0; !ready[i].data.ptr && k < config->n_servers; k++)
				accept_all(listener[k]);
		}
	}
	return NULL;
}

/* ---- for load.c ------------------------------------------------------------------------- */

static int listeners[MAX_SERVERS];

static void *run_servers_here(void *unused)
{
	(void)unused;
	return run_servers(listeners);
}

void tcp_hold(int hold)
{
	atomic_store(&held, hold);
}

void tcp_look(struct tcp_account *a)
{
	static uint64_t broken_before, wrong_before, exchanges_before;
	uint64_t b = atomic_load(&broken), w = atomic_load(&wrong), x = atomic_load(&exchanges);

	*a = (struct tcp_account){.open = atomic_load(&n_open),
				  .late = atomic_load(&n_late),
				  .broken = b - broken_before,
				  .wrong = w - wrong_before,
				  .exchanges = x - exchanges_before};
	broken_before = b;
	wrong_before = w;
	exchanges_before = x;
}

void tcp_start(const struct load_config *wanted)
{
	config = wanted;
	client_epoll = epoll_create1(EPOLL_CLOEXEC);
	server_epoll = epoll_create1(EPOLL_CLOEXEC);
	clients = calloc(config->connections + 1, sizeof(*clients));
	if (!clients)
		die("memory");
	enter(config->server_netns);
	for (unsigned int i = 0; i < config->n_servers; i++) {
		struct epoll_event event = {.events = EPOLLIN};

		listeners[i] = open_socket(SOCK_STREAM, config->server[i], config->port);
		if (listen(listeners[i], 1024))
			die("listen");
		epoll_ctl(server_epoll, EPOLL_CTL_ADD, listeners[i], &event);
	}
	enter(config->client_netns);
	for (unsigned int i = 0; i < config->connections; i++) {
		clients[i].fd = -1;
		clients[i].connection = i;
	}
	atomic_store(&held, true);
	start_thread(run_servers_here, NULL);
	start_thread(run_clients, NULL);
}
