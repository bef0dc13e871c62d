/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/local_endpoint.h"

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>

#include "secondary/conn6.h"
#include "secondary/local_port.h"
#include "secondary/mode.h"
#include "secondary/worker.h"

#define PORT_TRIES 8 /* doubtful ports looked up for one connection */

static inline void set_local(struct conn_new *c, const struct sl_local_address *local,
			     uint16_t port, bool ipv6)
{
	if (ipv6) {
		c->key6[SL_DIR_OUT].daddr = local->addr;
		c->key6[SL_DIR_OUT].dport = port;
	} else {
		c->key[SL_DIR_OUT].daddr = sl_addr_v4(&local->addr);
		c->key[SL_DIR_OUT].dport = port;
	}
}

/* A free local port: the list's addresses in turn, each with its pool for this group. */
static __rte_always_inline enum sl_drop_reason take_port(struct worker *w, struct sl_span list,
							 uint32_t group, uint32_t *turn,
							 struct conn_new *c, bool ipv6)
{
	const struct sl_local_address *all =
		sl_snapshot_at(w->snapshot, w->snapshot->local_addresses);
	const uint32_t *position = sl_snapshot_at(w->snapshot, list);
	uint32_t n = list.count, next = *turn;

	for (uint32_t k = 0; k < n; k++) {
		const struct sl_local_address *local;
		uint16_t port;

		if (next >= n) /* the list's end, or a shorter one than before */
			next = 0;
		local = &all[position[next++]];
		port = local_port_take(w, local, group, &c->port_pool);
		if (likely(port)) {
			*turn = next;
			set_local(c, local, rte_cpu_to_be_16(port), ipv6);
			return MODE_READY;
		}
		w->stats->local_ports_exhausted++;
	}
	return SL_DROP_NO_LOCAL_PORT;
}

static bool known6(const struct worker *w, const struct sl_tuple6 *out)
{
	uint64_t key[CONN6_WORDS];
	uint8_t dir;

	conn6_words(out, key);
	return conn6_find(&w->conns6, key, conn6_hash(&w->conns6, key), &dir) != NULL;
}

static bool known4(const struct worker *w, const struct sl_tuple *out)
{
	uint64_t key[2];
	uint8_t dir;

	memcpy(key, out, sizeof(key));
	return conn_find(&w->conns, key, conn_hash(&w->conns, key[0], key[1]), &dir) != NULL;
}

/* In a doubtful pool a port may still belong to a connection of former times, of any mode. */
static bool in_use(const struct worker *w, const struct conn_new *c)
{
	struct sl_tuple6 mapped;

	if (likely(!local_port_doubtful(w, c->port_pool)))
		return false;
	mapped = conn6_mapped(&c->key[SL_DIR_OUT]);
	return known4(w, &c->key[SL_DIR_OUT]) || known6(w, &mapped);
}

static bool in_use6(const struct worker *w, const struct conn_new *c)
{
	const struct sl_tuple6 *out = &c->key6[SL_DIR_OUT];
	struct sl_tuple v4;

	if (likely(!local_port_doubtful(w, c->port_pool)))
		return false;
	v4 = conn6_unmapped(out);
	return known6(w, out) || (sl_addr_is_v4(&out->daddr) && known4(w, &v4));
}

void local_endpoint_put(struct worker *w, const struct conn_new *c)
{
	struct sl_addr local = sl_addr_of_v4(c->key[SL_DIR_OUT].daddr);

	local_port_put(w, c->port_pool, &local, rte_be_to_cpu_16(c->key[SL_DIR_OUT].dport));
}

void local_endpoint_put6(struct worker *w, const struct conn_new *c)
{
	const struct sl_tuple6 *out = &c->key6[SL_DIR_OUT];

	local_port_put(w, c->port_pool, &out->daddr, rte_be_to_cpu_16(out->dport));
}

static __rte_always_inline enum sl_drop_reason take(struct worker *w, struct sl_span list,
						    uint32_t group, uint32_t *turn,
						    struct conn_new *c, bool ipv6)
{
	for (int i = 0; i < PORT_TRIES; i++) {
		enum sl_drop_reason why = take_port(w, list, group, turn, c, ipv6);

		if (why != MODE_READY || !(ipv6 ? in_use6(w, c) : in_use(w, c)))
			return why;
		if (ipv6)
			local_endpoint_put6(w, c);
		else
			local_endpoint_put(w, c);
	}
	return SL_DROP_NO_LOCAL_PORT;
}

enum sl_drop_reason local_endpoint_take(struct worker *w, struct sl_span list, uint32_t group,
					uint32_t *turn, struct conn_new *c)
{
	return take(w, list, group, turn, c, false);
}

enum sl_drop_reason local_endpoint_take6(struct worker *w, struct sl_span list, uint32_t group,
					 uint32_t *turn, struct conn_new *c)
{
	return take(w, list, group, turn, c, true);
}
