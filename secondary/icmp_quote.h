/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an ICMP error of either family quotes, the connection that the quoted packet is of, and the
 * way of the error from there.
 */
#ifndef ICMP_QUOTE_H
#define ICMP_QUOTE_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/conn.h>
#include <sluice/drop.h>

struct burst;
struct worker;

/* A packet that is quoted: checked to have its headers, and so many bytes behind them. */
struct quote {
	bool ipv6;
	uint8_t proto; /* as in a tuple (sluice/conn.h) */
	char *ip;
	char *l4;
	uint32_t l4_len; /* bytes that are there: the ports at least, and a datagram's checksum */
};

#define QUOTE_READ SL_DROP_MAX /* no reason to drop */
#define QUOTE_L4   8           /* bytes behind its headers that are quoted at least, RFC 792 */

/* At most `len` bytes at `at`. */
enum sl_drop_reason quote_read(char *at, uint32_t len, struct quote *q);
enum sl_drop_reason quote_read6(char *at, uint32_t len, struct quote *q);
/* By the version that it says. */
enum sl_drop_reason quote_read_any(char *at, uint32_t len, struct quote *q);

struct sl_addr quote_source(const struct quote *q);
struct sl_addr quote_destination(const struct quote *q);

/* Ports and checksum of the quoted packet; `delta` is what its checksum suffered on the way out. */
void quote_restore_l4(const struct quote *q, uint16_t sport, uint16_t dport, uint16_t delta);

/* A connection of either family; of FullNAT64 a quote over IPv4 has one over IPv6. */
struct related {
	bool ipv6;
	uint8_t dir; /* of the key that it was found by */
	union {
		struct sl_conn *v4;
		struct sl_conn6 *v6;
	};
};

static inline struct sl_conn_core *related_core(const struct related *r)
{
	return r->ipv6 ? &r->v6->core : &r->v4->core;
}

/* Of a connection with SL_CONN_F_DIRECT. */
static inline const struct sl_addr *related_backend(const struct related *r)
{
	return r->ipv6 ? &r->v6->key[SL_DIR_OUT].saddr : &r->v4->direct.backend;
}

/*
 * The connection that the quoted packet came to us by, or left us by. False: packet `at` has its
 * verdict.
 */
bool quote_came_by(struct worker *w, struct burst *b, unsigned int at, const struct quote *q,
		   struct related *r);
bool quote_left_by(struct worker *w, struct burst *b, unsigned int at, const struct quote *q,
		   struct related *r);

/* Packet `at`, which is complete, goes the way of the connection's packets of this direction. */
void related_send(struct worker *w, struct burst *b, unsigned int at, const struct related *r,
		  unsigned int dir);

#endif
