/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/purge.h"

#include <errno.h>

#include <rte_ring_elem.h>

#include "secondary/worker.h"

/* What a turn may take of it: some 20 us. A free entry is 4 bytes to read, another one a line. */
#define SLICE_LOOKS  1024
#define SLICE_CLOSES 32

struct slice {
	uint32_t looks, closes;
};

static bool fits(const struct sl_conn_filter *f, const struct conn_table *t, uint32_t at)
{
	const struct sl_conn_core *e = conn_core(t, at);
	struct sl_addr client;

	if (conn_is_ipv6(t)) {
		const struct sl_tuple6 *in = &t->entry6[at].key[SL_DIR_IN];

		return sl_conn_filter_fits(f, &in->saddr, in->proto, e);
	}
	client = sl_addr_of_v4(t->entry[at].key[SL_DIR_IN].saddr);
	return sl_conn_filter_fits(f, &client, t->entry[at].key[SL_DIR_IN].proto, e);
}

/* False: the slice is used up before the table. */
static bool walk(struct worker *w, struct conn_table *t, uint32_t *at, struct slice *left)
{
	struct purge *p = &w->purge;

	for (; *at < t->shared->capacity; ++*at) {
		if (!left->looks || !left->closes)
			return false;
		left->looks--;
		if (!t->check[*at] || !fits(&p->filter, t, *at))
			continue;
		conn_close(w, t, conn_core(t, *at));
		p->ended++;
		left->closes--;
	}
	return true;
}

static void answer(struct worker *w, int32_t status)
{
	struct sl_answer a = {.id = w->purge.id, .status = status, .value = w->purge.ended};

	w->purge.pending = false;
	rte_ring_sp_enqueue_elem(w->slot->answer, &a, sizeof(a));
}

void purge_begin(struct worker *w, const struct sl_command *command)
{
	if (w->purge.pending && w->purge.id == command->id)
		return;
	w->purge = (struct purge){
		.pending = true,
		.id = command->id,
		.until_ns = command->end.until_ns,
		.filter = command->end.filter,
	};
}

void purge_slice(struct worker *w)
{
	struct purge *p = &w->purge;
	struct slice left = {SLICE_LOOKS, SLICE_CLOSES};

	if (w->clock.ns >= p->until_ns)
		answer(w, -ETIME);
	else if (walk(w, &w->conns, &p->at[0], &left) && walk(w, &w->conns6, &p->at[1], &left))
		answer(w, 0);
}
