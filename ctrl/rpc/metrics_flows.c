/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/metrics_flows.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/model.h"

#define ROWS_LIMIT ((size_t)128 << 20) /* bytes of one scrape's, whatever is left of the budget */

static const struct {
	const char *name, *type, *help;
	size_t offset;
} families[] = {
#define FLOW(name, type, help, field)                                    \
	{                                                                \
		name, type, help, offsetof(Sluice__V1__FlowStats, field) \
	}
	FLOW("connections_total", "counter", "Connections opened.", connections),
	FLOW("active_connections", "gauge", "Connections open.", active_connections),
	FLOW("in_packets_total", "counter", "Packets from clients.", in_packets),
	FLOW("in_bytes_total", "counter", "Bytes from clients.", in_bytes),
	FLOW("out_packets_total", "counter", "Packets to clients.", out_packets),
	FLOW("out_bytes_total", "counter", "Bytes to clients.", out_bytes),
#undef FLOW
};
#define N_FAMILIES (sizeof(families) / sizeof(families[0]))

/* What is few comes first; backends are what there may be too many of. */
static const struct {
	enum resource_kind kind;
	const char *label; /* and the start of the families' names */
} kinds[METRICS_FLOW_KINDS] = {
	{RESOURCE_VIRTUAL_SERVER, "virtual_server"},
	{RESOURCE_SNAT_POLICY, "snat_policy"},
	{RESOURCE_BACKEND, "backend"},
};

struct metrics_row {
	struct metrics_row *next;
	uint64_t value[N_FAMILIES];
	char name[];
};

/* ---- reading ---- */

static void begin_kind(struct metrics_flows *f)
{
	f->at = (struct flows_cursor){.kind = kinds[f->kind].kind};
	f->last = &f->first[f->kind];
	f->n = 0;
	f->full = false;
}

void metrics_flows_init(struct metrics_flows *f, const struct ctrl *ctrl, struct rpc_budget *budget,
			unsigned int room)
{
	*f = (struct metrics_flows){.ctrl = ctrl, .room = room};
	rpc_arena_init(&f->arena, budget, ROWS_LIMIT);
	begin_kind(f);
}

void metrics_flows_clear(struct metrics_flows *f)
{
	rpc_arena_clear(&f->arena);
}

static bool add_row(void *arg, const struct resource *r, const Sluice__V1__FlowStats *figures)
{
	struct metrics_flows *f = arg;
	size_t size = strlen(r->name) + 1;
	struct metrics_row *row = NULL;

	if (f->room >= N_FAMILIES)
		row = rpc_arena_alloc(&f->arena, sizeof(*row) + size);
	f->full = !row;
	if (!row)
		return false;
	for (size_t i = 0; i < N_FAMILIES; i++)
		memcpy(&row->value[i], (const char *)figures + families[i].offset,
		       sizeof(row->value[i]));
	memcpy(row->name, r->name, size);
	row->next = NULL;
	*f->last = row;
	f->last = &row->next;
	f->room -= N_FAMILIES;
	f->n++;
	return true;
}

bool metrics_flows_read(struct metrics_flows *f)
{
	size_t all = f->ctrl->model->count[kinds[f->kind].kind];

	if (flows_walk(f->ctrl, &f->at, add_row, f) && !f->full)
		return true;
	if (f->full && all > f->n)
		f->left_out += (all - f->n) * N_FAMILIES;
	if (++f->kind < METRICS_FLOW_KINDS) {
		begin_kind(f);
		return true;
	}
	f->kind = 0;
	return false;
}

/* ---- writing ---- */

static void begin_family(struct metrics_flows *f, struct metrics_text *text)
{
	snprintf(text->family, sizeof(text->family), "sluice_%s_%s", kinds[f->kind].label,
		 families[f->family].name);
	metrics_family_head(text, families[f->family].type, families[f->family].help);
	f->next = f->first[f->kind];
	f->in_family = true;
}

bool metrics_flows_write(struct metrics_flows *f, struct metrics_text *text)
{
	if (!f->in_family)
		begin_family(f, text);
	for (unsigned int n = 0; f->next && n < FLOWS_SLICE; n++, f->next = f->next->next)
		metrics_sample(text, METRICS_LABELS(kinds[f->kind].label, f->next->name),
			       (double)f->next->value[f->family]);
	if (f->next)
		return true;
	f->in_family = false;
	if (++f->family < N_FAMILIES)
		return true;
	f->family = 0;
	return ++f->kind < METRICS_FLOW_KINDS;
}
