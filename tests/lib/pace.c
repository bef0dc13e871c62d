/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Datagrams at a fixed rate through the appliance, one way, and what becomes of them.
 *
 *   pace CLIENT-NETNS SERVER-NETNS CLIENT-ADDRESS VIRTUAL-ADDRESS PORT RATE FLOWS
 *
 * Each datagram carries its flow, its number and a check word. The receiver, a socket of the other
 * namespace on every address, accounts for each: wrong content, doubled, lost. The pause is the
 * longest time between two arrivals of one flow, by the kernel's time stamps, so that a late reader
 * does not count. A line on standard input asks for what happened since the last one:
 *
 *   {"sent":..,"lost":..,"doubled":..,"wrong":..,"pause_us":..}
 *
 * Lost is what never came although a later one of its flow did. The end of standard input ends it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_FLOWS 64
#define WINDOW    65536 /* numbers of a flow that may be on their way, in any order */
#define SECRET    UINT64_C(0x9e3779b97f4a7c15)

struct datagram {
	uint64_t flow;
	uint64_t number; /* from 1 */
	uint64_t check;
	uint8_t filling[40];
};

struct flow {
	int fd;
	uint64_t sent;
	/* of the receiver */
	uint64_t highest;
	uint64_t arrived; /* once */
	uint64_t last_ns;
	uint64_t pause_ns;
	uint64_t seen[WINDOW]; /* the number that came last in this place */
};

static struct flow flows[MAX_FLOWS];
static unsigned int n_flows;
static unsigned int rate;
static int sink;
static atomic_bool ended;
static atomic_uint_fast64_t doubled, wrong;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void die(const char *what)
{
	fprintf(stderr, "pace: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void enter(const char *netns)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

static int udp(const struct sockaddr_in *local)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1, size = 8 << 20;

	if (fd < 0 || bind(fd, (const struct sockaddr *)local, sizeof(*local)))
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one));
	return fd;
}

/* Ahead of everybody else on a busy machine: what is late is the appliance, not we. */
static void go_first(void)
{
	struct sched_param first = {.sched_priority = 1};

	if (sched_setscheduler(0, SCHED_FIFO, &first))
		die("real-time priority");
}

static void *send_all(void *unused)
{
	uint64_t step = 1000000000 / rate, n = 0;
	struct timespec due;

	(void)unused;
	go_first();
	prctl(PR_SET_TIMERSLACK, 1);
	clock_gettime(CLOCK_MONOTONIC, &due);
	while (!ended) {
		struct flow *f = &flows[n++ % n_flows];
		struct datagram d = {.flow = (uint64_t)(f - flows), .number = f->sent + 1};

		d.check = (d.flow << 48 ^ d.number) * SECRET;
		if (send(f->fd, &d, sizeof(d), 0) == sizeof(d))
			__atomic_store_n(&f->sent, f->sent + 1, __ATOMIC_RELAXED);
		due.tv_nsec += (long)step;
		if (due.tv_nsec >= 1000000000) {
			due.tv_nsec -= 1000000000;
			due.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
	}
	return NULL;
}

static void account(const struct datagram *d, uint64_t now)
{
	struct flow *f;

	if (d->flow >= n_flows || d->check != (d->flow << 48 ^ d->number) * SECRET) {
		wrong++;
		return;
	}
	f = &flows[d->flow];
	if (f->seen[d->number % WINDOW] == d->number) {
		doubled++;
		return;
	}
	f->seen[d->number % WINDOW] = d->number;
	f->arrived++;
	if (d->number > f->highest)
		f->highest = d->number;
	if (f->last_ns && now > f->last_ns && now - f->last_ns > f->pause_ns)
		f->pause_ns = now - f->last_ns;
	f->last_ns = now;
}

static uint64_t stamp(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		struct timespec ts;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_TIMESTAMPNS)
			continue;
		memcpy(&ts, CMSG_DATA(c), sizeof(ts));
		return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	}
	return 0;
}

static void *receive_all(void *unused)
{
	(void)unused;
	while (!ended) {
		struct pollfd p = {.fd = sink, .events = POLLIN};
		char control[64];
		struct datagram d;
		struct iovec v = {&d, sizeof(d)};
		struct msghdr m = {.msg_iov = &v,
				   .msg_iovlen = 1,
				   .msg_control = control,
				   .msg_controllen = sizeof(control)};

		if (poll(&p, 1, 100) <= 0 || recvmsg(sink, &m, MSG_DONTWAIT) != sizeof(d))
			continue;
		pthread_mutex_lock(&lock);
		account(&d, stamp(&m));
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void report(void)
{
	static uint64_t sent_before, lost_before, doubled_before, wrong_before;
	uint64_t sent = 0, lost = 0, pause = 0;

	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < n_flows; i++) {
		struct flow *f = &flows[i];

		sent += __atomic_load_n(&f->sent, __ATOMIC_RELAXED);
		lost += f->highest - f->arrived;
		if (f->pause_ns > pause)
			pause = f->pause_ns;
		f->pause_ns = 0;
	}
	printf("{\"sent\":%lu,\"lost\":%ld,\"doubled\":%lu,\"wrong\":%lu,\"pause_us\":%lu}\n",
	       sent - sent_before, (long)(lost - lost_before), doubled - doubled_before,
	       wrong - wrong_before, pause / 1000);
	fflush(stdout);
	sent_before = sent;
	lost_before = lost;
	doubled_before = doubled;
	wrong_before = wrong;
	pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv)
{
	struct sockaddr_in client = {.sin_family = AF_INET}, virtual = {.sin_family = AF_INET};
	struct sockaddr_in any = {.sin_family = AF_INET};
	pthread_t sender, receiver;
	char line[64];

	if (argc != 8 || inet_pton(AF_INET, argv[3], &client.sin_addr) != 1 ||
	    inet_pton(AF_INET, argv[4], &virtual.sin_addr) != 1) {
		fprintf(stderr, "usage: pace CLIENT-NETNS SERVER-NETNS CLIENT VIRTUAL PORT RATE "
				"FLOWS\n");
		return 2;
	}
	virtual.sin_port = htons((uint16_t)atoi(argv[5]));
	any.sin_port = virtual.sin_port;
	rate = (unsigned int)atoi(argv[6]);
	n_flows = (unsigned int)atoi(argv[7]);
	if (!rate || !n_flows || n_flows > MAX_FLOWS)
		return 2;
	enter(argv[2]);
	sink = udp(&any);
	enter(argv[1]);
	for (unsigned int i = 0; i < n_flows; i++) {
		flows[i].fd = udp(&client);
		if (connect(flows[i].fd, (struct sockaddr *)&virtual, sizeof(virtual)))
			die("connect");
	}
	pthread_create(&receiver, NULL, receive_all, NULL);
	pthread_create(&sender, NULL, send_all, NULL);
	while (fgets(line, sizeof(line), stdin))
		report();
	ended = true;
	pthread_join(sender, NULL);
	pthread_join(receiver, NULL);
	return 0;
}
