/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/conn.h"

#include <errno.h>
#include <netinet/in.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include <sluice/csum.h>
#include <sluice/shm.h>
#include <sluice/snapshot.h>

#include "secondary/conn6.h"
#include "secondary/conn_index.h"
#include "secondary/flow_stats.h"
#include "secondary/local_port.h"
#include "secondary/persist.h"
#include "secondary/worker.h"

void conn_attach(struct conn_table *t, struct sl_conn_table *shared, uint64_t seed)
{
	*t = (struct conn_table){
		.shared = shared,
		.entry = shared->entry,
		.check = shared->check,
		.bucket = shared->bucket,
		.bucket_mask = shared->bucket_mask,
		.entry_shift = (uint32_t)__builtin_ctz(shared->entry_size),
		/* odd-looking words from one seed: splitmix64's increments and factors */
		.secret = {seed ^ UINT64_C(0x9e3779b97f4a7c15), seed * UINT64_C(0xbf58476d1ce4e5b9),
			   (seed ^ seed >> 31) * UINT64_C(0x94d049bb133111eb),
			   (seed ^ seed >> 27) * UINT64_C(0xd6e8feb86659fd93)},
	};
}

struct sl_conn *conn_find(const struct conn_table *t, const uint64_t key[2], uint64_t hash,
			  uint8_t *dir)
{
	uint32_t ref = find_ref(t, key, hash, false);

	if (!ref)
		return NULL;
	*dir = (ref - 1) & 1;
	return &t->entry[(ref - 1) / 2];
}

struct sl_conn6 *conn6_find(const struct conn_table *t, const uint64_t key[CONN6_WORDS],
			    uint64_t hash, uint8_t *dir)
{
	uint32_t ref = find_ref(t, key, hash, true);

	if (!ref)
		return NULL;
	*dir = (ref - 1) & 1;
	return &t->entry6[(ref - 1) / 2];
}

/* ---- entries ---------------------------------------------------------------------- */

/* Both, as one word. */
static inline uint32_t conn_ports(const struct sl_tuple *k)
{
	uint32_t ports;

	memcpy(&ports, &k->sport, sizeof(ports));
	return ports;
}

/*
 * Differences that packets suffer: one of direction d leaves as key[!d] reversed. Back is the
 * negative of forth, which is the complement; but the TTL goes down in both.
 */
static void set_deltas4(struct sl_conn *e)
{
	const struct sl_tuple *in = &e->key[SL_DIR_IN], *out = &e->key[SL_DIR_OUT];
	/* less one in the high byte of its word: minus 0x0100 in network order */
	const uint16_t ttl = (uint16_t)~RTE_BE16(0x0100);
	/* words of 32 bits, folded later: 2^32 is 1 modulo 2^16 - 1, too */
	uint64_t sum =
		(uint64_t)(uint32_t)~in->saddr + (uint32_t)~in->daddr + out->saddr + out->daddr;
	uint16_t addrs = sl_csum_fold64(sum);

	if (unlikely(in->proto == IPPROTO_ICMP))
		sum = 0; /* no pseudo-header is in its checksum, RFC 792 */
	sum += (uint64_t)(uint32_t)~conn_ports(in) + conn_ports(out);
	e->core.l4_delta[SL_DIR_IN] = sl_csum_fold64(sum);
	e->core.l4_delta[SL_DIR_OUT] = (uint16_t)~e->core.l4_delta[SL_DIR_IN];
	e->key[SL_DIR_IN].l3_delta = sl_csum_fold((uint32_t)addrs + ttl);
	e->key[SL_DIR_OUT].l3_delta = sl_csum_fold((uint32_t)(uint16_t)~addrs + ttl);
}

static uint64_t address_delta(const struct sl_addr *from, const struct sl_addr *to)
{
	uint64_t sum = 0;

	for (int i = 0; i < 4; i++)
		sum += (uint64_t)(uint32_t)~from->w[i] + to->w[i];
	return sum;
}

/* IPv6 has no header checksum. */
static void set_deltas6(struct sl_conn6 *e)
{
	const struct sl_tuple6 *in = &e->key[SL_DIR_IN], *out = &e->key[SL_DIR_OUT];
	uint64_t sum =
		address_delta(&in->saddr, &out->daddr) + address_delta(&in->daddr, &out->saddr) +
		sl_csum_delta16(in->sport, out->dport) + sl_csum_delta16(in->dport, out->sport);

	e->core.l4_delta[SL_DIR_IN] = sl_csum_fold64(sum);
	e->core.l4_delta[SL_DIR_OUT] = (uint16_t)~e->core.l4_delta[SL_DIR_IN];
}

static __rte_always_inline void set_deltas(struct conn_table *t, uint32_t at, uint8_t flags,
					   bool ipv6)
{
	if (flags & SL_CONN_F_DIRECT)
		return; /* packets are not rewritten */
	if (ipv6)
		set_deltas6(&t->entry6[at]);
	else
		set_deltas4(&t->entry[at]);
}

static __rte_always_inline void fill_keys(struct conn_table *t, uint32_t at,
					  const struct conn_new *c, bool ipv6)
{
	if (ipv6)
		memcpy(t->entry6[at].key, c->key6, sizeof(c->key6));
	else
		memcpy(t->entry[at].key, c->key, sizeof(c->key));
	set_deltas(t, at, c->flags, ipv6);
}

static void fill(struct sl_conn_core *e, const struct conn_new *c, uint32_t now)
{
	e->last_seen = now;
	e->opened = now;
	e->virtual_server = c->virtual_server;
	e->backend = c->backend;
	e->state = c->state;
	e->flags = c->flags;
	e->neigh_epoch = 0;
	e->port_pool = c->port_pool;
}

void conn_intend(struct worker *w)
{
	w->slot->worker.conn_intent++;
	rte_compiler_barrier();
}

void conn_agreed(struct worker *w)
{
	rte_compiler_barrier();
	w->slot->worker.conn_intent--;
}

static uint32_t timeout_of(const struct worker *w, uint8_t state)
{
	return w->timeout[state];
}

/* `look`: ticks from now to the sweep's first look. */
static __rte_always_inline int enter(struct worker *w, struct conn_table *t,
				     const struct conn_new *c, uint32_t look, uint32_t *opened,
				     bool ipv6)
{
	uint32_t n = t->shared->n_free;
	uint32_t i;
	struct sl_conn_core *e;

	if (unlikely(n == 0))
		return -ENOSPC;
	i = t->shared->free[n - 1];
	e = conn_core(t, i);
	e->seq |= 1;
	rte_compiler_barrier();
	fill_keys(t, i, c, ipv6);
	fill(e, c, w->clock.tick);
	if (unlikely(!index_put(t, c->hash[SL_DIR_IN], make_ref(i, SL_DIR_IN))))
		return -EXFULL;
	if (unlikely(!(c->flags & SL_CONN_F_DIRECT) &&
		     !index_put(t, c->hash[SL_DIR_OUT], make_ref(i, SL_DIR_OUT)))) {
		index_remove(t, c->hash[SL_DIR_IN], make_ref(i, SL_DIR_IN));
		return -EXFULL;
	}
	t->shared->n_free = n - 1;
	rte_compiler_barrier();
	t->check[i] = w->clock.tick + look; /* from here on it exists */
	e->seq++;
	*opened = i;
	return 0;
}

static __rte_always_inline int open_in(struct worker *w, struct conn_table *t,
				       const struct conn_new *c, uint32_t *opened, bool ipv6)
{
	int rc = enter(w, t, c, timeout_of(w, c->state), opened, ipv6);

	if (unlikely(rc))
		return rc;
	flow_stats_opened(w, conn_core(t, *opened));
	w->stats->connections_opened++;
	return 0;
}

int conn_open(struct worker *w, struct conn_table *t, const struct conn_new *c, uint32_t *opened)
{
	return conn_is_ipv6(t) ? open_in(w, t, c, opened, true) : open_in(w, t, c, opened, false);
}

int conn_open_stub(struct worker *w, struct conn_table *t, const struct conn_new *c)
{
	uint32_t i;
	int rc;

	conn_intend(w);
	rc = enter(w, t, c, CONN_STUB_LOOK, &i, conn_is_ipv6(t));
	if (!rc)
		w->slot->worker.stubs++;
	conn_agreed(w);
	return rc;
}

/* The local address, and its port (host order), of an entry. */
static __rte_always_inline uint16_t local_of(const struct conn_table *t, uint32_t at,
					     struct sl_addr *addr, bool ipv6)
{
	if (ipv6) {
		const struct sl_tuple6 *out = &t->entry6[at].key[SL_DIR_OUT];

		*addr = out->daddr;
		return rte_be_to_cpu_16(out->dport);
	}
	*addr = sl_addr_of_v4(t->entry[at].key[SL_DIR_OUT].daddr);
	return rte_be_to_cpu_16(t->entry[at].key[SL_DIR_OUT].dport);
}

static __rte_always_inline void close_in(struct worker *w, struct conn_table *t,
					 struct sl_conn_core *e, bool ipv6)
{
	uint32_t at = conn_number(t, e);
	struct sl_addr local;
	uint16_t port;

	conn_intend(w);
	t->check[at] = 0; /* from here on it does not exist */
	rte_compiler_barrier();
	/* of a stub with a port it is in no bucket */
	index_remove(t, entry_hash(t, at, SL_DIR_IN, ipv6), make_ref(at, SL_DIR_IN));
	if (!(e->flags & SL_CONN_F_DIRECT))
		index_remove(t, entry_hash(t, at, SL_DIR_OUT, ipv6), make_ref(at, SL_DIR_OUT));
	if (conn_has_local_port(e)) {
		port = local_of(t, at, &local, ipv6);
		local_port_put(w, e->port_pool, &local, port);
	}
	if (likely(!(e->flags & SL_CONN_F_STUB))) {
		flow_stats_closed(w, e);
		w->stats->connections_closed++;
	} else {
		w->slot->worker.stubs--;
	}
	t->shared->free[t->shared->n_free] = at;
	rte_compiler_barrier();
	t->shared->n_free++;
	conn_agreed(w);
}

void conn_close(struct worker *w, struct conn_table *t, struct sl_conn_core *e)
{
	if (conn_is_ipv6(t))
		close_in(w, t, e, true);
	else
		close_in(w, t, e, false);
}

void conn_set_state(struct worker *w, struct conn_table *t, struct sl_conn_core *e, uint8_t state)
{
	uint32_t due = w->clock.tick + timeout_of(w, state);
	uint32_t *check = &t->check[conn_number(t, e)];
	bool established = state == SL_CONN_ESTABLISHED;

	if (established || e->state == SL_CONN_ESTABLISHED) {
		conn_intend(w);
		flow_stats_established(w, e, established ? 1 : -1);
		e->state = state;
		conn_agreed(w);
	} else {
		e->state = state;
	}
	if (due < *check)
		*check = due;
}

/* ---- after an end ------------------------------------------------------------------- */

#define BEAT_EVERY 65536 /* entries */

/* An entry that exists gets its index places and its local port back; else it ends. */
static bool readopt(struct worker *w, struct conn_table *t, uint32_t i)
{
	struct sl_conn_core *e = conn_core(t, i);
	bool ipv6 = conn_is_ipv6(t);
	uint64_t in = entry_hash(t, i, SL_DIR_IN, ipv6), out = entry_hash(t, i, SL_DIR_OUT, ipv6);
	struct sl_addr local;
	uint16_t port = local_of(t, i, &local, ipv6);
	bool stub = e->flags & SL_CONN_F_STUB;

	if ((!stub || sl_conn_is_flow_stub(e)) && !index_put(t, in, make_ref(i, SL_DIR_IN)))
		return false;
	if (!(e->flags & SL_CONN_F_DIRECT) && !index_put(t, out, make_ref(i, SL_DIR_OUT))) {
		index_remove(t, in, make_ref(i, SL_DIR_IN));
		return false;
	}
	e->seq = (e->seq + 1) & ~1;
	e->neigh_epoch = 0;
	if (conn_has_local_port(e))
		local_port_adopt(w, e->port_pool, &local, port);
	if (stub)
		w->slot->worker.stubs++;
	else
		flow_stats_readopted(w, e);
	return true;
}

bool conn_restore(struct worker *w, struct conn_table *t, uint32_t at, uint32_t idle, uint32_t age)
{
	struct sl_conn_core *e = conn_core(t, at);
	uint32_t timeout = timeout_of(w, e->state);
	struct sl_addr local;
	uint16_t port = local_of(t, at, &local, conn_is_ipv6(t));

	if (idle >= timeout || idle >= w->clock.tick)
		return false;
	conn_intend(w);
	set_deltas(t, at, e->flags, conn_is_ipv6(t));
	e->last_seen = w->clock.tick - idle;
	e->opened = age < w->clock.tick ? w->clock.tick - age : 1;
	if (!sl_conn_is_flow_stub(e))
		flow_stats_restored(w, e);
	if (conn_has_local_port(e))
		local_port_restore(w, e->port_pool, &local, port);
	rte_compiler_barrier();
	t->check[at] =
		sl_conn_is_flow_stub(e) ? w->clock.tick + CONN_STUB_LOOK : e->last_seen + timeout;
	return true;
}

static void rebuild_table(struct worker *w, struct conn_table *t)
{
	uint32_t n_free = 0;

	memset(t->bucket, 0, ((size_t)t->bucket_mask + 1) * sizeof(*t->bucket));
	for (uint32_t i = t->shared->capacity; i-- > 0;) {
		if (i % BEAT_EVERY == 0)
			worker_beat(w);
		if (t->check[i] && readopt(w, t, i))
			continue;
		t->check[i] = 0;
		t->shared->free[n_free++] = i;
	}
	t->shared->n_free = n_free;
}

void conn_rebuild(struct worker *w)
{
	conn_intend(w);
	flow_stats_rebuild_begin(w);
	w->slot->worker.stubs = 0;
	rebuild_table(w, &w->conns);
	rebuild_table(w, &w->conns6);
	local_port_rebuild(w);
	flow_stats_rebuild_end(w);
	rte_compiler_barrier();
	w->slot->worker.conn_intent = 0; /* whatever was intended before */
}

bool conn_repair(struct worker *w)
{
	if (!w->slot->worker.conn_intent)
		return false;
	conn_rebuild(w);
	return true;
}
