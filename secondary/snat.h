/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets that SNAT lets out: to an address that is not ours, from one that is not, either. */
#ifndef SNAT_H
#define SNAT_H

#include <sluice/drop.h>
#include <sluice/snat.h>

struct worker;

#define SNAT_CLAIMED SL_DROP_MAX /* no reason to drop */

/*
 * The policy for a packet without a connection, of which one more is claimed; NULL, and none is, at
 * a worker that is drained. `opens`: it is one that a connection begins with.
 */
enum sl_drop_reason snat_claim(struct worker *w, const struct sl_snat_flow *flow, bool opens,
			       const struct sl_snat_policy **policy);

#endif
