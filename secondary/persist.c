/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/persist.h"

#include "secondary/choose.h"
#include "secondary/claims.h"
#include "secondary/conn.h"
#include "secondary/sched.h"
#include "secondary/template.h"
#include "secondary/worker.h"

/* Each is lost to another worker that opens for the same client at this moment. */
#define TRIES 16

static uint64_t key_of(const struct worker *w, const struct sl_virtual_server *vs,
		       const struct sl_addr *client)
{
	return sl_template_key(w->root->seed, vs->ref, client,
			       &vs->persistence.mask[!sl_addr_is_v4(client)]);
}

/* ---- choosing ---- */

/* Position in the server's backends of what a reference names; SCHED_NO_BACKEND: not there. */
static uint32_t position_of(const struct worker *w, const struct sl_virtual_server *vs,
			    uint32_t ref)
{
	const struct sl_snapshot *s = w->snapshot;
	const uint32_t *place = sl_snapshot_at(s, s->backend_places);
	const struct sl_backend *all = sl_snapshot_at(s, s->backends);
	const struct sl_backend *first = sl_snapshot_at(s, vs->backends);
	uint32_t at;

	if (SL_REF_ID(ref) >= s->backend_places.count)
		return SCHED_NO_BACKEND;
	at = place[SL_REF_ID(ref)] - (uint32_t)(first - all);
	return at < vs->backends.count && first[at].ref == ref ? at : SCHED_NO_BACKEND;
}

/* The template's backend, if it still takes this client; the claim is taken. */
static uint32_t claim_found(struct worker *w, const struct sl_virtual_server *vs, uint32_t ref)
{
	const struct sl_backend *all = sl_snapshot_at(w->snapshot, vs->backends), *b;
	uint32_t at = position_of(w, vs, ref);

	if (at == SCHED_NO_BACKEND)
		return SCHED_NO_BACKEND;
	b = &all[at];
	if ((!b->weight && vs->persistence.leaves_drained) ||
	    (b->max_connections && claims_overloaded(w, b)) || !claims_backend(w, b, false))
		return SCHED_NO_BACKEND;
	return at;
}

static enum template_result keep(struct worker *w, const struct template_look *look,
				 const struct sl_template *next, bool last)
{
	enum template_result result = template_put(&w->root->templates, look, next, last);

	if (result == TEMPLATE_PUT && look->was.key && look->was.key != next->key &&
	    look->was.expires > w->clock.tick)
		w->stats->templates_replaced++;
	return result;
}

uint32_t persist_claim(struct worker *w, const struct sl_virtual_server *vs,
		       const struct sl_addr *client, uint64_t hash)
{
	const struct sl_backend *all = sl_snapshot_at(w->snapshot, vs->backends);
	struct sl_template next = {.key = key_of(w, vs, client),
				   .expires = w->clock.tick + vs->persistence.timeout};

	for (int tries = TRIES;; tries--) {
		uint32_t pick = SCHED_NO_BACKEND;
		struct template_look look;

		template_look(&w->root->templates, next.key, w->clock.tick, &look);
		if (look.found)
			pick = claim_found(w, vs, look.was.backend);
		if (pick == SCHED_NO_BACKEND)
			pick = choose_claim(w, vs, hash);
		if (pick == SCHED_NO_BACKEND)
			return pick;
		next.backend = all[pick].ref;
		if (keep(w, &look, &next, tries <= 1) == TEMPLATE_PUT)
			return pick;
		claims_down(&w->slot->backend_claims[SL_REF_ID(next.backend)], next.backend);
	}
}

/* ---- while connections last ---- */

/* NULL when it is gone, or has no persistence. */
static const struct sl_virtual_server *server_of(const struct worker *w,
						 const struct sl_conn_core *e)
{
	const struct sl_snapshot *s = w->snapshot;
	const struct sl_virtual_server *v = sl_snapshot_at(s, s->virtual_servers);
	const uint32_t *place = sl_snapshot_at(s, s->persistent_servers);
	uint32_t id = SL_REF_ID(e->virtual_server);
	uint32_t at = id < s->persistent_servers.count ? place[id] : UINT32_MAX;

	return at != UINT32_MAX && v[at].ref == e->virtual_server ? &v[at] : NULL;
}

static uint32_t look_again(const struct worker *w, const struct sl_virtual_server *vs)
{
	return w->clock.tick + vs->persistence.timeout / 2;
}

void persist_opened(struct worker *w, struct conn_table *t, uint32_t at)
{
	const struct sl_virtual_server *vs = server_of(w, conn_core(t, at));

	if (vs)
		t->check[at] = RTE_MIN(t->check[at], look_again(w, vs));
}

uint32_t persist_keep(struct worker *w, const struct conn_table *t, uint32_t at, uint32_t due)
{
	const struct sl_conn_core *e = conn_core(t, at);
	const struct sl_virtual_server *vs = server_of(w, e);
	struct sl_addr client;

	if (!vs)
		return due;
	client = conn_is_ipv6(t) ? t->entry6[at].key[SL_DIR_IN].saddr
				 : sl_addr_of_v4(t->entry[at].key[SL_DIR_IN].saddr);
	/* A sweep more, since it comes by once a second. */
	template_extend(&w->root->templates, key_of(w, vs, &client), e->backend,
			w->clock.tick + vs->persistence.timeout + SL_TICK_HZ);
	return RTE_MIN(due, look_again(w, vs));
}
