/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/snat.h"

#include "secondary/claims.h"
#include "secondary/frame.h"
#include "secondary/worker.h"

/* Hosts that no packet is let out to, whatever policies say. */
static bool nowhere(const struct sl_addr *to)
{
	if (sl_addr_is_v4(to))
		return frame_no_host(sl_addr_v4(to));
	return sl_addr_is_link_local(to);
}

enum sl_drop_reason snat_claim(struct worker *w, const struct sl_snat_flow *flow, bool opens,
			       const struct sl_snat_policy **policy)
{
	const struct sl_snat_policy *p = sl_snat_find(w->snapshot, flow);

	if (!p || nowhere(&flow->destination))
		return SL_DROP_NO_SERVICE;
	if (!opens)
		return SL_DROP_NO_CONNECTION;
	*policy = NULL;
	if (unlikely(w->drained))
		return SNAT_CLAIMED; /* by whoever opens it */
	if (!claims_server(w, &p->server))
		return SL_DROP_SERVER_LIMIT;
	claims_backend(w, &p->outside, false);
	*policy = p;
	return SNAT_CLAIMED;
}
