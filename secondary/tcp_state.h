/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state of a TCP connection as a box in the middle sees it, as a table. Flags are
 * reduced to one event (RST before SYN before FIN before the rest), RFC 9293 section 3.5-3.6.
 */
#ifndef TCP_STATE_H
#define TCP_STATE_H

#include <stdint.h>

#include <rte_tcp.h>

#include <sluice/conn.h>

enum tcp_event {
	TCP_EVENT_OTHER,
	TCP_EVENT_SYN,
	TCP_EVENT_SYN_ACK,
	TCP_EVENT_FIN,
	TCP_EVENT_RST,
	TCP_EVENT_MAX
};

static inline enum tcp_event tcp_event_of(uint8_t flags)
{
	if (flags & RTE_TCP_RST_FLAG)
		return TCP_EVENT_RST;
	if (flags & RTE_TCP_SYN_FLAG)
		return flags & RTE_TCP_ACK_FLAG ? TCP_EVENT_SYN_ACK : TCP_EVENT_SYN;
	return flags & RTE_TCP_FIN_FLAG ? TCP_EVENT_FIN : TCP_EVENT_OTHER;
}

/* Nearly every segment: data and acknowledgements of a connection that is established. */
static inline bool tcp_changes_nothing(uint8_t state, uint8_t flags)
{
	return state == SL_CONN_ESTABLISHED &&
	       !(flags & (RTE_TCP_RST_FLAG | RTE_TCP_SYN_FLAG | RTE_TCP_FIN_FLAG));
}

/* Beside the directions: the client's side of a connection whose other side is not seen. */
#define TCP_WAY_DIRECT 2
#define TCP_WAYS       3

/* By way, event and state; SL_CONN_NONE stands for "as it was". */
extern const uint8_t tcp_transitions[TCP_WAYS][TCP_EVENT_MAX][SL_CONN_STATE_MAX];

/* The state after an event on a way; the same when it means nothing there. */
static inline uint8_t tcp_next_state(uint8_t state, unsigned int way, enum tcp_event event)
{
	uint8_t next = tcp_transitions[way][event][state];

	return next == SL_CONN_NONE ? state : next;
}

#endif
