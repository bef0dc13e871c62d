/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/drain.h"

#include <errno.h>

#include <rte_branch_prediction.h>

#include "secondary/burst.h"
#include "secondary/conn6.h"
#include "secondary/owner.h"
#include "secondary/pass_on.h"
#include "secondary/worker.h"

#define PASSED_ON SL_DROP_MAX /* no reason to drop */

void drain_look(struct worker *w)
{
	uint32_t mask = __atomic_load_n(&w->root->drained, __ATOMIC_RELAXED);

	w->drained = mask >> w->id & 1;
	if (unlikely(w->slot->worker.drained != w->drained))
		__atomic_store_n(&w->slot->worker.drained, w->drained, __ATOMIC_RELEASE);
}

/* ---- other workers' tables ---------------------------------------------------------- */

/* A tuple as tables know it: the words that bursts have, too. */
struct sought {
	bool ipv6;
	uint64_t key[CONN6_WORDS];
};

static struct sought sought4(const struct sl_tuple *k)
{
	struct sought s = {.ipv6 = false};

	memcpy(s.key, k, sizeof(*k));
	s.key[0] &= CONN_KEY_MASK;
	return s;
}

static struct sought sought6(const struct sl_tuple6 *k)
{
	struct sought s = {.ipv6 = true};

	conn6_words(k, s.key);
	return s;
}

enum sight {
	NOT_THERE,
	THERE,
	NOT_TO_BE_SAID, /* its index may differ from its entries at the moment */
};

/* Its owner writes while this reads: an answer that is wrong once is paid for by a stub. */
static enum sight look_in(const struct worker *w, unsigned int worker, const struct sought *s)
{
	struct sl_worker_slot *slot = w->root->worker[worker];
	uint32_t before = __atomic_load_n(&slot->worker.conn_intent, __ATOMIC_ACQUIRE);
	struct conn_table t;
	uint8_t dir;
	bool found;

	conn_attach(&t, s->ipv6 ? &slot->conns6 : &slot->conns, w->root->seed);
	found = s->ipv6 ? conn6_find(&t, s->key, conn6_hash(&t, s->key), &dir) != NULL
			: conn_find(&t, s->key, conn_hash(&t, s->key[0], s->key[1]), &dir) != NULL;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (found)
		return THERE;
	return before | __atomic_load_n(&slot->worker.conn_intent, __ATOMIC_RELAXED)
		       ? NOT_TO_BE_SAID
		       : NOT_THERE;
}

/* This worker itself: nobody. Who never passed anything on asks nobody. */
static unsigned int who_has(const struct worker *w, const struct sought *s)
{
	if (likely(!w->slot->worker.stubs))
		return w->id;
	for (unsigned int i = 0; i < w->n_workers; i++)
		if (i != w->id && look_in(w, i, s) == THERE)
			return i;
	return w->id;
}

unsigned int drain_who_has(const struct worker *w, const struct sl_tuple *k)
{
	struct sought s = sought4(k);

	return who_has(w, &s);
}

unsigned int drain_who_has6(const struct worker *w, const struct sl_tuple6 *k)
{
	struct sought s = sought6(k);

	return who_has(w, &s);
}

bool drain_stub_stays(const struct worker *w, const struct conn_table *t, uint32_t at)
{
	struct sought s = conn_is_ipv6(t) ? sought6(&t->entry6[at].key[SL_DIR_IN])
					  : sought4(&t->entry[at].key[SL_DIR_IN]);

	return look_in(w, conn_core(t, at)->worker, &s) != NOT_THERE;
}

/* ---- passing on --------------------------------------------------------------------- */

/*
 * A worker that takes new connections, by the flow's hash, so that they get equal shares. There is
 * one: ctrl drains all but the last. Were there none, another one, who refuses.
 */
static unsigned int choose(const struct worker *w, uint64_t hash)
{
	uint32_t all = (UINT32_C(1) << w->n_workers) - 1;
	uint32_t taking = all & ~__atomic_load_n(&w->root->drained, __ATOMIC_RELAXED);
	unsigned int skip;

	taking &= ~(UINT32_C(1) << w->id);
	if (unlikely(!taking))
		taking = all & ~(UINT32_C(1) << w->id);
	skip = (unsigned int)((hash >> 32) % (unsigned int)__builtin_popcount(taking));
	while (skip--)
		taking &= taking - 1;
	return (unsigned int)__builtin_ctz(taking);
}

/* The packets of this tuple go to worker `to`, from this one on. */
static enum sl_drop_reason pass_flow(struct worker *w, struct burst *b, unsigned int at,
				     unsigned int to, bool ipv6)
{
	struct conn_new c = {
		.hash[SL_DIR_IN] = b->hash[at],
		.worker = (uint16_t)to,
		.state = SL_CONN_NONE,
		.flags = SL_CONN_FLOW_STUB | SL_MODE_DR,
	};
	int rc;

	if (ipv6)
		memcpy(&c.key6[SL_DIR_IN], b->key6[at], sizeof(c.key6[SL_DIR_IN]));
	else
		memcpy(&c.key[SL_DIR_IN], b->key[at], sizeof(c.key[SL_DIR_IN]));
	rc = conn_open_stub(w, ipv6 ? &w->conns6 : &w->conns, &c);
	if (rc)
		return rc == -ENOSPC ? SL_DROP_CONNECTION_TABLE_FULL
				     : SL_DROP_CONNECTION_INDEX_FULL;
	pass_on(w, b, at, to);
	return PASSED_ON;
}

static enum sl_drop_reason pass_or_refuse(struct worker *w, struct burst *b, unsigned int at,
					  unsigned int owner, bool ipv6)
{
	if (owner == w->id)
		return pass_flow(w, b, at, choose(w, b->hash[at]), ipv6);
	pass_back(w, b, at, owner);
	return PASSED_ON;
}

static unsigned int owner_at6(const struct worker *w, const struct burst *b, unsigned int at)
{
	struct sl_tuple6 k;

	memcpy(&k, b->key6[at], sizeof(k));
	return owner_of6(w, &k);
}

enum sl_drop_reason drain_pass_on(struct worker *w, struct burst *b, unsigned int at)
{
	return pass_or_refuse(w, b, at, owner_of_key(w, b->key[at]), false);
}

enum sl_drop_reason drain_pass_on6(struct worker *w, struct burst *b, unsigned int at)
{
	return pass_or_refuse(w, b, at, owner_at6(w, b, at), true);
}

static bool elsewhere(struct worker *w, struct burst *b, unsigned int at, const struct sought *s)
{
	unsigned int to = who_has(w, s);
	enum sl_drop_reason why;

	if (to == w->id)
		return false;
	why = pass_flow(w, b, at, to, s->ipv6);
	if (why != PASSED_ON)
		burst_drop(b, at, why);
	return true;
}

bool drain_elsewhere(struct worker *w, struct burst *b, unsigned int at)
{
	struct sought s = {.ipv6 = false};

	if (likely(!w->slot->worker.stubs) || owner_of_key(w, b->key[at]) != w->id)
		return false;
	memcpy(s.key, b->key[at], sizeof(b->key[at]));
	return elsewhere(w, b, at, &s);
}

bool drain_elsewhere6(struct worker *w, struct burst *b, unsigned int at)
{
	struct sought s = {.ipv6 = true};

	if (likely(!w->slot->worker.stubs) || owner_at6(w, b, at) != w->id)
		return false;
	memcpy(s.key, b->key6[at], sizeof(b->key6[at]));
	return elsewhere(w, b, at, &s);
}
