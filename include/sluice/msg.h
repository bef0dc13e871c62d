/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages on the rings between ctrl and a worker, and between workers. Every
 * ring is an rte_ring, single producer and single consumer, with elements by
 * value (rte_ring_elem.h), so no message owns memory. A receiver checks every field.
 */
#ifndef SL_MSG_H
#define SL_MSG_H

#include <assert.h>
#include <stdint.h>

#include <sluice/addr.h>
#include <sluice/conn_filter.h>

enum sl_command_type {
	SL_COMMAND_SNAPSHOT = 1, /* switch to arena->current; argument: its generation */
	/*
	 * End the connections that fit, some in each turn, and answer when all were looked at;
	 * takes the place of one that is under way.
	 */
	SL_COMMAND_END_CONNECTIONS,
};

/* ctrl -> worker. */
struct sl_command {
	uint64_t id;   /* chosen by ctrl, comes back in the answer */
	uint32_t type; /* enum sl_command_type */
	uint32_t reserved;
	union {
		uint64_t argument;
		struct {
			uint64_t until_ns; /* CLOCK_MONOTONIC; none is ended afterwards */
			struct sl_conn_filter filter;
		} end;
	};
};
static_assert(sizeof(struct sl_command) == 56, "ring element");

/* worker -> ctrl, one for each command. */
struct sl_answer {
	uint64_t id;
	/*
	 * 0 or -errno: -EINVAL unknown command, -ESTALE generation not current, -ETIME not all was
	 * done in its time.
	 */
	int32_t status;
	uint32_t reserved;
	uint64_t value; /* SNAPSHOT: the generation now in use; END_CONNECTIONS: how many */
};
static_assert(sizeof(struct sl_answer) == 24, "ring element");

/* worker -> worker: a neighbour told us its MAC (ARP or neighbour discovery). */
struct sl_neighbour_event {
	struct sl_addr addr;
	uint8_t mac[6];
	uint8_t port;  /* port on which it was heard */
	uint8_t to_us; /* 1: it talked to us, so learn it; 0: only update what is known */
};
static_assert(sizeof(struct sl_neighbour_event) == 24, "ring element");

#define SL_COMMAND_RING   64
#define SL_NEIGHBOUR_RING 256
#define SL_REDIRECT_RING  512

#endif
