/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the chaos run sends through the appliance, and the account of it: numbered datagrams at a
 * fixed rate (udp.c) that another namespace sends back (echo.c), long-lived TCP connections
 * (tcp.c), and for how long the machine itself keeps a process waiting meanwhile (machine.c). A
 * plain program: sockets of the kernel's, no code of the appliance's. Every byte is known, and
 * checked by whoever gets it.
 */
#ifndef CHAOS_LOAD_H
#define CHAOS_LOAD_H

#include <netinet/in.h>
#include <stdint.h>

#include "tests/chaos/thread.h"

#define MAX_SERVERS 16

struct load_config {
	const char *client_netns, *server_netns;
	const char *server_device;
	struct in_addr client, virtual;
	struct in_addr server[MAX_SERVERS]; /* addresses that the servers listen on */
	unsigned int n_servers;
	uint16_t port;            /* of the virtual servers and the servers, UDP and TCP */
	unsigned int rate;        /* datagrams a second */
	unsigned int flows;       /* ... of so many client ports */
	unsigned int connections; /* TCP */
};

struct seen {
	uint32_t address; /* network byte order, as all here */
	uint16_t port, none;
};

struct datagram {
	uint64_t flow;
	uint64_t number;  /* from 1 */
	struct seen seen; /* by the server; 0 on the way there */
	uint64_t data[5];
};

/* Since the last look, but where said. */
struct udp_account {
	uint64_t sent;
	int64_t lost;       /* sent and not back; exact while held */
	uint64_t doubled;   /* came again */
	uint64_t wrong;     /* with another content */
	uint64_t moved;     /* flows that the server saw come from another address or port */
	uint64_t pause_us;  /* longest time without an arrival, by owner, kernel's time stamps */
	uint64_t sender_us; /* longest time between two sends: not the appliance's doing */
};

struct tcp_account {
	unsigned int open;  /* now */
	unsigned int late;  /* now: without an answer for a second */
	uint64_t broken;    /* were established and ended */
	uint64_t wrong;     /* messages with another content, at either end */
	uint64_t exchanges; /* messages sent and answered */
};

/* mix of splitmix64 (Steele, Lea, Flood 2014): what the bytes on the way are made from. */
static inline uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* load.c; each ends the program when the machine refuses. */
void enter(const char *netns);
int open_socket(int type, struct in_addr address, uint16_t port);
void udp_start(const struct load_config *config);
void udp_hold(int hold);
void udp_set_owners(const char *list); /* a number for each flow, with spaces between */
uint16_t udp_client_port(unsigned int flow);
void udp_look(struct udp_account *account);

/* In this namespace: send datagrams to this port back, from now on. */
void echo_at(const char *device, uint16_t port);

void tcp_start(const struct load_config *config);
void tcp_hold(int hold);
void tcp_look(struct tcp_account *account);

#endif
