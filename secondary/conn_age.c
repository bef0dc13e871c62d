/* SPDX-License-Identifier: BSD-3-Clause */
/* Aging: check[] is swept in slices (conn.h). */
#include "secondary/conn.h"

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include <sluice/shm.h>

#include "secondary/drain.h"
#include "secondary/persist.h"
#include "secondary/quiescent.h"
#include "secondary/worker.h"

#define SWEEP_NS     UINT64_C(1000000000) /* the whole table in this time */
#define SWEEP_LOOKS  8192                 /* entries a slice at most */
#define SWEEP_DUE    256                  /* entries read a slice at most */
#define SWEEP_CLOSES 32                   /* connections ended a slice at most */

/* The tick at which an entry is to be looked at again; 0: it has to end. */
static uint32_t next_look(struct worker *w, const struct conn_table *t, uint32_t i)
{
	const struct sl_conn_core *e = conn_core(t, i);
	uint32_t due = e->last_seen + w->timeout[e->state];

	if (unlikely(sl_conn_is_flow_stub(e)))
		return drain_stub_stays(w, t, i) ? w->clock.tick + CONN_STUB_LOOK : 0;
	if (due <= w->clock.tick || quiescent_ends(w, e))
		return 0;
	return unlikely(persist_any(w)) ? persist_keep(w, t, i, due) : due;
}

/* A due entry: end it, or look again when it may be due. Returns true when ended. */
static bool sweep_due(struct worker *w, struct conn_table *t, uint32_t i)
{
	uint32_t next = next_look(w, t, i);

	if (next)
		t->check[i] = next;
	else
		conn_close(w, t, conn_core(t, i));
	return !next;
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
