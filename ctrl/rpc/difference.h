/* SPDX-License-Identifier: BSD-3-Clause */
/* Resources before and after, as the API shows what differs. */
#ifndef CTRL_RPC_DIFFERENCE_H
#define CTRL_RPC_DIFFERENCE_H

#include "ctrl/change.h"
#include "ctrl/past.h"
#include "ctrl/rpc/call.h"
#include "sluice/v1/config.pb-c.h"

#define DIFFERENCE_LISTED 1000 /* changes, unless another number is asked for */

/* Part of a response. Messages are the resources' own: to be encoded while these live. */
struct difference {
	Sluice__V1__ResourceChange **changes;
	size_t n;
	size_t limit; /* of the list; what is over it is counted only */
	uint32_t created;
	uint32_t updated;
	uint32_t deleted;
};

/* False: the call's memory is used up. */
bool difference_add(struct rpc_call *call, struct difference *difference,
		    const struct resource *before, const struct resource *after);

/* Of a change set. */
bool difference_of_set(struct rpc_call *call, struct difference *difference,
		       const struct change_set *set);

/* Between two configurations. */
bool difference_of_pasts(struct rpc_call *call, struct difference *difference,
			 const struct past *before, const struct past *after);

#endif
