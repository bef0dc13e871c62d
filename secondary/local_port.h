/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Local ports of FullNAT and SNAT. Each local address has a few pools; a group of other sides,
 * those of one address, picks one, so that one local address serves the whole port range to each
 * group. A pool holds the ports whose owner is this worker (<sluice/owner.h>). Taking and putting
 * are O(1): ports never used come first, then returned ones, oldest first.
 */
#ifndef LOCAL_PORT_H
#define LOCAL_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/snapshot.h>

#include <rte_byteorder.h>

/*
 * The group of an other side: by its address alone, whatever the mode. A server may be a backend of
 * several pools and where SNAT's hosts go, too, and no two connections to it may have one local
 * endpoint.
 */
static inline uint32_t local_port_group(const struct sl_addr *other)
{
	return sl_addr_fold(other);
}

/* The same of an IPv4 address, which folds to itself. */
static inline uint32_t local_port_group4(rte_be32_t other)
{
	return other;
}

/* Which of the `pools` of a local address; Fibonacci hashing (Knuth, TAOCP 3, section 6.4). */
static inline uint32_t local_port_pick(uint32_t group, uint32_t pools)
{
	return (uint32_t)((uint64_t)(group * UINT32_C(0x9e3779b9)) * pools >> 32);
}

struct worker;

/*
 * A port (host order) of `local` towards a group of other sides, and its pool. 0 when all are
 * taken. `shared` pools may name a port that a connection of former times still has:
 * the caller looks before it uses one.
 */
uint16_t local_port_take(struct worker *w, const struct sl_local_address *local, uint32_t group,
			 uint16_t *pool);

/* Give a port back. `addr` is the connection's: another's pool takes nothing. */
void local_port_put(struct worker *w, uint16_t pool, const struct sl_addr *addr, uint16_t port);

/* Whether a port of this pool has to be looked up before use. */
bool local_port_doubtful(const struct worker *w, uint16_t pool);

/*
 * Pools are derived from the connections: adopt each port in use, then rebuild. The order of
 * returned ports is lost. The room for it is taken beforehand: 0 or -ENOMEM.
 */
int local_port_prepare(struct worker *w);
void local_port_adopt(struct worker *w, uint16_t pool, const struct sl_addr *addr, uint16_t port);
void local_port_rebuild(struct worker *w);

/* A pool that was not used yet has handed out this port, in a former time. Then adopt, rebuild. */
void local_port_restore(struct worker *w, uint16_t pool, const struct sl_addr *addr, uint16_t port);

#endif
