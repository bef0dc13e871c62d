/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a worker's time goes, by stage of its loop. Counted only while ctrl asks for it: it
 * writes a time to the slot (profile_until_ns), which the worker looks at once a millisecond.
 * So whoever dies, counting ends by itself. The counters only grow; a reader takes differences.
 */
#ifndef SL_PROFILE_H
#define SL_PROFILE_H

#include <stdint.h>

/* X(symbol, name in API and CLI, sentence) */
#define SL_STAGES(X)                                                                \
	X(MESSAGES, "messages", "clock, aging, commands, neighbours, buffers back") \
	X(RECEIVE, "receive", "bursts from ports and redirect rings")               \
	X(PARSE, "parse", "headers checked, ARP and ICMP answered")                 \
	X(LOOKUP, "lookup", "connections found")                                    \
	X(FORWARD, "forward", "state, rewrite, next hop, transmit buffer")          \
	X(SCHEDULE, "schedule", "new connections")                                  \
	X(SETTLE, "settle", "drops, redirects, what did not leave by a connection") \
	X(TRANSMIT, "transmit", "bursts to ports")                                  \
	X(IDLE, "idle", "pauses and sleeps after turns without a packet")

enum sl_stage {
#define X(symbol, name, text) SL_STAGE_##symbol,
	SL_STAGES(X)
#undef X
		SL_STAGE_MAX
};

/* Writer: the worker that holds the slot's lease. */
struct sl_profile {
	struct {
		uint64_t cycles; /* TSC */
		uint64_t packets;
	} stage[SL_STAGE_MAX];
};

#endif
