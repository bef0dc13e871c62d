/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/quiescent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "secondary/conn.h"

int quiescent_prepare(struct worker *w)
{
	w->quiescent.server = calloc(w->root->max_virtual_servers, sizeof(uint32_t));
	w->quiescent.backend = calloc(w->root->max_backends, sizeof(uint32_t));
	return w->quiescent.server && w->quiescent.backend ? 0 : -ENOMEM;
}

static bool gather_servers(struct worker *w)
{
	const struct sl_virtual_server *v =
		sl_snapshot_at(w->snapshot, w->snapshot->virtual_servers);
	bool any = false;

	for (uint32_t i = 0; i < w->snapshot->virtual_servers.count; i++) {
		if (!v[i].expire_quiescent)
			continue;
		if (!any)
			memset(w->quiescent.server, 0xff,
			       w->root->max_virtual_servers * sizeof(uint32_t));
		w->quiescent.server[SL_REF_ID(v[i].ref)] = v[i].ref;
		any = true;
	}
	return any;
}

static void gather_backends(struct worker *w)
{
	const struct sl_backend *b = sl_snapshot_at(w->snapshot, w->snapshot->backends);

	memset(w->quiescent.backend, 0xff, w->root->max_backends * sizeof(uint32_t));
	for (uint32_t i = 0; i < w->snapshot->backends.count; i++)
		if (b[i].weight)
			w->quiescent.backend[SL_REF_ID(b[i].ref)] = b[i].ref;
}

void quiescent_switch(struct worker *w)
{
	w->quiescent.any = gather_servers(w);
	if (!w->quiescent.any)
		return;
	gather_backends(w);
	conn_look_at_all(w);
}
