/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state of a TCP connection as a box in the middle sees it, as a table. Flags are
 * reduced to one event (RST before SYN before FIN before the rest), RFC 9293 section 3.5-3.6.
 */
#ifndef TCP_STATE_H
#define TCP_STATE_H

#include <stdint.h>

#include <sluice/conn.h>

enum tcp_event {
	TCP_EVENT_OTHER,
	TCP_EVENT_SYN,
	TCP_EVENT_SYN_ACK,
	TCP_EVENT_FIN,
	TCP_EVENT_RST,
	TCP_EVENT_MAX
};

enum tcp_event tcp_event_of(uint8_t flags);

/* The state after an event in a direction; the same when it means nothing there. */
uint8_t tcp_next_state(uint8_t state, enum sl_conn_dir dir, enum tcp_event event);

#endif
