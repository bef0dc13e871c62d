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
#include "secondary/flow_stats.h"
#include "secondary/local_port.h"
#include "secondary/persist.h"
#include "secondary/quiescent.h"
#include "secondary/worker.h"

#define PLACES SL_CONN_BUCKET_SLOTS

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

/* ---- index ---------------------------------------------------------------------- */

static inline uint32_t make_ref(uint32_t at, unsigned int dir)
{
	return at * 2 + dir + 1;
}

static int place_of(const struct sl_conn_bucket *b, uint32_t ref)
{
	for (int i = 0; i < PLACES; i++)
		if (b->ref[i] == ref)
			return i;
	return -1;
}

static inline void set_place(struct sl_conn_bucket *b, unsigned int i, uint16_t sig, uint32_t ref,
			     bool away)
{
	b->sig[i] = sig;
	b->ref[i] = ref;
	b->away = (uint8_t)((b->away & ~(1u << i)) | (unsigned int)away << i);
}

static inline bool bucket_put(struct sl_conn_bucket *b, uint16_t sig, uint32_t ref, bool away)
{
	unsigned int empty = conn_empty_places(b);

	if (unlikely(!empty))
		return false;
	set_place(b, (unsigned int)__builtin_ctz(empty), sig, ref, away);
	return true;
}

/* Make a place in bucket `b` by moving one of its tenants to that one's other bucket. */
static bool bucket_displace(struct conn_table *t, uint32_t b, uint16_t sig, uint32_t ref, bool away)
{
	struct sl_conn_bucket *here = &t->bucket[b];

	for (unsigned int i = 0; i < PLACES; i++) {
		struct sl_conn_bucket *other = &t->bucket[conn_other_bucket(t, b, here->sig[i])];
		bool was_away = here->away >> i & 1;

		if (!bucket_put(other, here->sig[i], here->ref[i], !was_away))
			continue;
		if (was_away)
			other->strays--; /* it is where it belongs now */
		else
			here->strays++;
		set_place(here, i, sig, ref, away);
		return true;
	}
	return false;
}

/* The first bucket has no place. */
static __rte_noinline bool index_put_elsewhere(struct conn_table *t, uint64_t hash, uint32_t ref)
{
	uint16_t sig = conn_signature(hash);
	uint32_t b = conn_bucket(t, hash);
	uint32_t other = conn_other_bucket(t, b, sig);

	if (bucket_put(&t->bucket[other], sig, ref, true)) {
		t->bucket[b].strays++;
		return true;
	}
	if (bucket_displace(t, b, sig, ref, false))
		return true;
	if (!bucket_displace(t, other, sig, ref, true))
		return false;
	t->bucket[b].strays++;
	return true;
}

static inline bool index_put(struct conn_table *t, uint64_t hash, uint32_t ref)
{
	return likely(bucket_put(&t->bucket[conn_bucket(t, hash)], conn_signature(hash), ref,
				 false)) ||
	       index_put_elsewhere(t, hash, ref);
}

static void index_remove(struct conn_table *t, uint64_t hash, uint32_t ref)
{
	uint32_t b = conn_bucket(t, hash);
	struct sl_conn_bucket *first = &t->bucket[b];
	struct sl_conn_bucket *second;
	int i = place_of(first, ref);

	if (likely(i >= 0)) {
		first->ref[i] = 0;
		return;
	}
	second = &t->bucket[conn_other_bucket(t, b, conn_signature(hash))];
	i = place_of(second, ref);
	if (i >= 0) {
		second->ref[i] = 0;
		first->strays--;
	}
}

/* What depends on the family takes it as a constant, so that each has its own instructions. */
static __rte_always_inline uint64_t entry_hash(const struct conn_table *t, uint32_t at,
					       unsigned int dir, bool ipv6)
{
	return ipv6 ? conn6_tuple_hash(t, &t->entry6[at].key[dir])
		    : conn_tuple_hash(t, &t->entry[at].key[dir]);
}

static __rte_always_inline bool key_is(const struct conn_table *t, uint32_t ref,
				       const uint64_t *key, bool ipv6)
{
	uint32_t at = (ref - 1) / 2, dir = (ref - 1) & 1;

	return ipv6 ? conn6_key_is(&t->entry6[at].key[dir], key)
		    : conn_key_is(&t->entry[at].key[dir], key);
}

static __rte_always_inline uint32_t bucket_find(const struct conn_table *t, uint32_t b,
						const uint64_t *key, uint16_t sig, bool ipv6)
{
	const struct sl_conn_bucket *bucket = &t->bucket[b];

	for (unsigned int mask = conn_same_signature(bucket, sig); mask; mask &= mask - 1) {
		/* two bits a place: the second finds the same again */
		uint32_t ref = bucket->ref[__builtin_ctz(mask) / 2];

		if (ref && key_is(t, ref, key, ipv6))
			return ref;
	}
	return 0;
}

static __rte_always_inline uint32_t find_ref(const struct conn_table *t, const uint64_t *key,
					     uint64_t hash, bool ipv6)
{
	uint16_t sig = conn_signature(hash);
	uint32_t b = conn_bucket(t, hash);
	uint32_t ref = bucket_find(t, b, key, sig, ipv6);

	if (!ref && t->bucket[b].strays)
		ref = bucket_find(t, conn_other_bucket(t, b, sig), key, sig, ipv6);
	return ref;
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

static __rte_always_inline int open_in(struct worker *w, struct conn_table *t,
				       const struct conn_new *c, uint32_t *opened, bool ipv6)
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
	t->check[i] = w->clock.tick + timeout_of(w, c->state); /* from here on it exists */
	e->seq++;
	flow_stats_opened(w, e);
	w->stats->connections_opened++;
	*opened = i;
	return 0;
}

int conn_open(struct worker *w, struct conn_table *t, const struct conn_new *c, uint32_t *opened)
{
	return conn_is_ipv6(t) ? open_in(w, t, c, opened, true) : open_in(w, t, c, opened, false);
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
	/* of a stub it is in no bucket */
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

/* ---- aging ------------------------------------------------------------------------- */

#define SWEEP_NS     UINT64_C(1000000000) /* the whole table in this time */
#define SWEEP_LOOKS  8192                 /* entries a slice at most */
#define SWEEP_DUE    256                  /* entries read a slice at most */
#define SWEEP_CLOSES 32                   /* connections ended a slice at most */

/* A due entry: end it, or look again when it may be due. Returns true when ended. */
static bool sweep_due(struct worker *w, struct conn_table *t, uint32_t i)
{
	struct sl_conn_core *e = conn_core(t, i);
	uint32_t due = e->last_seen + timeout_of(w, e->state);

	if (due > w->clock.tick && !quiescent_ends(w, e)) {
		t->check[i] = unlikely(persist_any(w)) ? persist_keep(w, t, i, due) : due;
		return false;
	}
	conn_close(w, t, e);
	return true;
}

void conn_look_at_all(struct worker *w)
{
	w->conns.recheck = w->conns.shared->capacity;
	w->conns6.recheck = w->conns6.shared->capacity;
}

/* Has the entry to be read? Most are told by the array alone. */
static bool sweep_look(const struct worker *w, struct conn_table *t, uint32_t i)
{
	bool look = t->check[i] <= w->clock.tick || t->recheck;

	if (t->recheck)
		t->recheck--;
	return t->check[i] && look;
}

/* Entries come due with time; what a slice leaves, the next turn's slice does. */
static uint32_t sweep_owed(const struct worker *w, struct conn_table *t)
{
	uint64_t elapsed = RTE_MIN(w->clock.ns - t->swept_ns, SWEEP_NS);
	uint64_t looks = t->shared->capacity * elapsed / SWEEP_NS;

	if (looks) {
		t->swept_ns = w->clock.ns;
		t->owed = (uint32_t)RTE_MIN(t->owed + looks, (uint64_t)t->shared->capacity);
	}
	return RTE_MIN(t->owed, (uint32_t)SWEEP_LOOKS);
}

static void sweep_table(struct worker *w, struct conn_table *t)
{
	uint32_t looks = sweep_owed(w, t), due = 0, closed = 0;

	while (looks-- && due < SWEEP_DUE && closed < SWEEP_CLOSES) {
		if (sweep_look(w, t, t->swept)) {
			due++;
			closed += sweep_due(w, t, t->swept);
		}
		t->swept = t->swept + 1 == t->shared->capacity ? 0 : t->swept + 1;
		t->owed--;
	}
}

void conn_sweep(struct worker *w)
{
	sweep_table(w, &w->conns);
	sweep_table(w, &w->conns6);
}

bool conn_sweep_behind(const struct worker *w)
{
	return (w->conns.owed | w->conns6.owed) != 0;
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

	if (!stub && !index_put(t, in, make_ref(i, SL_DIR_IN)))
		return false;
	if (!(e->flags & SL_CONN_F_DIRECT) && !index_put(t, out, make_ref(i, SL_DIR_OUT))) {
		index_remove(t, in, make_ref(i, SL_DIR_IN));
		return false;
	}
	e->seq = (e->seq + 1) & ~1;
	e->neigh_epoch = 0;
	if (conn_has_local_port(e))
		local_port_adopt(w, e->port_pool, &local, port);
	if (!stub)
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
	flow_stats_restored(w, e);
	if (conn_has_local_port(e))
		local_port_restore(w, e->port_pool, &local, port);
	rte_compiler_barrier();
	t->check[at] = e->last_seen + timeout;
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
