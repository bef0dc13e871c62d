/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Datagrams: one thread sends them at a fixed rate, one accounts for what returns. They run at
 * real-time priority, so that on a busy machine it is the appliance that is late and not they;
 * and the one that receives looks every half millisecond, since the kernel's time stamps tell
 * when a datagram came. What is due at a time is of one flow, and given to the kernel in one
 * piece to be cut (UDP_SEGMENT); the next time it is another worker's turn.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "tests/chaos/load.h"

#define MAX_FLOWS 64
#define WINDOW    65536 /* numbers of a flow that may be on their way, in any order */
#define BATCH     64
#define STEP_NS   80000   /* the sender sleeps no shorter */
#define SEGMENTS  32u     /* datagrams given to the kernel at a time, at most */
#define TURN_NS   500000  /* between two looks at what arrived */
#define MISSED_NS 2000000 /* what the sender slept longer is left out, not sent in one go */
#define OWNERS    4

struct flow {
	int fd;
	uint16_t port;
	_Atomic uint64_t sent;
	unsigned int owner;
	uint64_t arrived;      /* once */
	uint64_t seen[WINDOW]; /* the number that came last in this place */
	struct seen seen_by_server;
};

static const struct load_config *config;
static struct flow flows[MAX_FLOWS];
static _Atomic unsigned int turn[MAX_FLOWS]; /* in which flows send: workers alternate */
static atomic_bool held;
static atomic_uint_fast64_t wrong, moved, sender_ns;

/* Of the receiver, under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t doubled, last_ns[OWNERS], pause_ns;

static void make(struct datagram *d, uint64_t flow, uint64_t number)
{
	d->flow = flow;
	d->number = number;
	d->seen = (struct seen){0};
	for (unsigned int i = 0; i < sizeof(d->data) / sizeof(d->data[0]); i++)
		d->data[i] = mix(flow << 48 ^ number << 3 ^ i);
}

/* As it was sent, every bit, but for what the server adds. */
static bool right(const struct datagram *d, size_t length)
{
	struct datagram wanted;

	if (length != sizeof(*d) || d->flow >= config->flows)
		return false;
	make(&wanted, d->flow, d->number);
	wanted.seen = d->seen;
	return !memcmp(d, &wanted, sizeof(wanted));
}

/* ---- sending ---------------------------------------------------------------------------- */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* n datagrams of the flow whose turn it is. */
static void send_some(unsigned int t, unsigned int n)
{
	struct flow *f = &flows[turn[t % config->flows]];
	uint64_t number = atomic_load(&f->sent);
	struct datagram d[SEGMENTS];

	for (unsigned int i = 0; i < n; i++)
		make(&d[i], (uint64_t)(f - flows), ++number);
	/* what the kernel refuses, since there is no device, was lost to the client, too */
	send(f->fd, d, n * sizeof(d[0]), MSG_DONTWAIT);
	atomic_store(&f->sent, number);
}

static void *send_all(void *unused)
{
	uint64_t step = 1000000000 / config->rate, due = now_ns(), last = 0;

	(void)unused;
	go_first();
	for (unsigned int t = 0;; t++) {
		uint64_t now = now_ns();

		if (atomic_load(&held)) {
			due = now;
			last = 0;
		}
		if (now > due + MISSED_NS)
			due = now - MISSED_NS;
		if (last && now - last > atomic_load(&sender_ns))
			atomic_store(&sender_ns, now - last);
		for (unsigned int n; due <= now && !atomic_load(&held); due += n * step) {
			n = (unsigned int)least((now - due) / step + 1, SEGMENTS);
			send_some(t, n);
			last = now;
		}
		sleep_until(due > now + STEP_NS ? due : now + STEP_NS);
	}
	return NULL;
}

/* ---- what returns ----------------------------------------------------------------------- */

struct batch {
	struct mmsghdr msg[BATCH];
	struct iovec vec[BATCH];
	struct datagram data[BATCH];
	char control[BATCH][64];
};

/* Cut ones show as too short, longer ones as longer. */
static int receive_batch(int fd, struct batch *b)
{
	for (unsigned int i = 0; i < BATCH; i++) {
		b->vec[i] = (struct iovec){&b->data[i], sizeof(b->data[i])};
		b->msg[i].msg_hdr = (struct msghdr){.msg_iov = &b->vec[i],
						    .msg_iovlen = 1,
						    .msg_control = b->control[i],
						    .msg_controllen = sizeof(b->control[i])};
	}
	return recvmmsg(fd, b->msg, BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL);
}

/* Where the appliance lets this flow come from: it may not change. */
static void note_seen(struct flow *f, const struct seen *from)
{
	if (f->seen_by_server.port && memcmp(&f->seen_by_server, from, sizeof(*from)))
		moved++;
	f->seen_by_server = *from;
}

static uint64_t stamp(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		struct timespec ts;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_TIMESTAMPNS)
			continue;
		memcpy(&ts, CMSG_DATA(c), sizeof(ts));
		return timespec_ns(&ts);
	}
	return 0;
}

/* When the kernel had it from the appliance, whenever we look. */
static void note_time(const struct flow *f, uint64_t at)
{
	uint64_t *last = &last_ns[f->owner];

	if (*last && at > *last && at - *last > pause_ns)
		pause_ns = at - *last;
	if (at > *last)
		*last = at;
}

static void account(struct flow *f, const struct datagram *d)
{
	if (f->seen[d->number % WINDOW] == d->number) {
		doubled++;
		return;
	}
	f->seen[d->number % WINDOW] = d->number;
	f->arrived++;
}

static void arrived(struct batch *b, int n)
{
	pthread_mutex_lock(&lock);
	for (int i = 0; i < n; i++) {
		const struct datagram *d = &b->data[i];

		if (!right(d, b->msg[i].msg_len)) {
			wrong++;
			continue;
		}
		account(&flows[d->flow], d);
		note_seen(&flows[d->flow], &d->seen);
		note_time(&flows[d->flow], stamp(&b->msg[i].msg_hdr));
	}
	pthread_mutex_unlock(&lock);
}

static void rest(void)
{
	nanosleep(&(struct timespec){.tv_nsec = TURN_NS}, NULL);
}

static void *receive(void *unused)
{
	static struct batch b;
	int n;

	(void)unused;
	go_first();
	for (;; rest())
		for (unsigned int i = 0; i < config->flows; i++)
			while ((n = receive_batch(flows[i].fd, &b)) > 0)
				arrived(&b, n);
	return NULL;
}

/* ---- for load.c ------------------------------------------------------------------------- */

void udp_hold(int hold)
{
	if (!hold) { /* silence of our own is no pause; what still comes after it ends one */
		pthread_mutex_lock(&lock);
		memset(last_ns, 0, sizeof(last_ns));
		pthread_mutex_unlock(&lock);
	}
	atomic_store(&held, hold);
}

/* Those of each owner in a row, then one of each in turn while there are. */
static void alternate(void)
{
	unsigned int of[OWNERS][MAX_FLOWS], n[OWNERS] = {0}, at = 0;

	for (unsigned int i = 0; i < config->flows; i++)
		of[flows[i].owner][n[flows[i].owner]++] = i;
	for (unsigned int k = 0; at < config->flows; k++)
		for (unsigned int o = 0; o < OWNERS; o++)
			if (k < n[o])
				turn[at++] = of[o][k];
}

void udp_set_owners(const char *list)
{
	char *end;

	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < config->flows; i++, list = end)
		flows[i].owner = (unsigned int)strtoul(list, &end, 10) % OWNERS;
	alternate();
	pthread_mutex_unlock(&lock);
}

uint16_t udp_client_port(unsigned int flow)
{
	return flows[flow].port;
}

void udp_look(struct udp_account *a)
{
	static struct udp_account before;
	struct udp_account all = {.wrong = atomic_load(&wrong), .moved = atomic_load(&moved)};

	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < config->flows; i++) {
		all.sent += atomic_load(&flows[i].sent);
		all.lost -= (int64_t)flows[i].arrived;
	}
	all.lost += (int64_t)all.sent;
	all.doubled = doubled;
	*a = (struct udp_account){
		.sent = all.sent - before.sent,
		.lost = all.lost - before.lost,
		.doubled = all.doubled - before.doubled,
		.wrong = all.wrong - before.wrong,
		.moved = all.moved - before.moved,
		.pause_us = pause_ns / 1000,
		.sender_us = atomic_exchange(&sender_ns, 0) / 1000,
	};
	pause_ns = 0;
	pthread_mutex_unlock(&lock);
	before = all;
}

static void open_flow(struct flow *f)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_addr = config->virtual,
				 .sin_port = htons(config->port)};
	int one = 1, segment = sizeof(struct datagram);
	struct sockaddr_in local;
	socklen_t len = sizeof(local);

	f->fd = open_socket(SOCK_DGRAM, config->client, 0);
	if (connect(f->fd, (struct sockaddr *)&to, sizeof(to)) ||
	    getsockname(f->fd, (struct sockaddr *)&local, &len) ||
	    setsockopt(f->fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)) ||
	    setsockopt(f->fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)))
		die("flow");
	f->port = ntohs(local.sin_port);
}

void udp_start(const struct load_config *wanted)
{
	config = wanted;
	if (config->flows > MAX_FLOWS) {
		errno = E2BIG;
		die("flows");
	}
	enter(config->client_netns);
	for (unsigned int i = 0; i < config->flows; i++) {
		open_flow(&flows[i]);
		turn[i] = i;
	}
	atomic_store(&held, true);
	start_thread(receive, NULL);
	start_thread(send_all, NULL);
}
