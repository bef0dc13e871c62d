/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections of either family for tests of the tables: client n of virtual server SERVER, to
 * backend BACKEND by one local address. The same test runs over both tables.
 */
#ifndef TESTS_FLOWS_H
#define TESTS_FLOWS_H

#include "tests/unit/lib/bed.h"

#define FLOWS_NONE    UINT32_MAX /* no entry */
#define FLOWS_SERVER  SL_REF(3, 1)
#define FLOWS_BACKEND SL_REF(5, 1)

struct flows {
	bool ipv6;
	uint8_t mode; /* enum sl_mode */
	struct sl_local_address local;
	struct sl_backend backend;
};

/* Local address i, of 256. */
struct flows flows_of(bool ipv6, unsigned int i);

/* FullNAT64: clients over IPv6, and IPv4's local address i. */
struct flows flows64_of(unsigned int i);

struct conn_table *flows_table(struct bed *b, const struct flows *f);
struct sl_conn_table *flows_shared(struct bed *b, const struct flows *f);

/* Client n's connection without a local port; and then that port, host order. */
struct conn_new flows_new(struct bed *b, const struct flows *f, uint32_t n);
void flows_set_port(struct bed *b, const struct flows *f, struct conn_new *c, uint16_t port);

/* As schedule.c does it: take a port, open. 0 with the entry's number or conn_open()'s error. */
int flows_open(struct bed *b, const struct flows *f, uint32_t n, uint32_t *at);

/* The entry of client n, FLOWS_NONE when there is none. */
uint32_t flows_find(struct bed *b, const struct flows *f, uint32_t n, uint8_t *dir);

/* The entry that the backend's packets of entry `at` find. */
uint32_t flows_find_reply(struct bed *b, const struct flows *f, uint32_t at, uint8_t *dir);

/* Local port of an entry, host order. */
uint16_t flows_port(struct bed *b, const struct flows *f, uint32_t at);

/* Which worker's client n is. */
unsigned int flows_owner(const struct bed *b, const struct flows *f, uint32_t n);

#endif
