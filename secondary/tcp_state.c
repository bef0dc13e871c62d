/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/tcp_state.h"

#include <rte_tcp.h>

enum tcp_event tcp_event_of(uint8_t flags)
{
	if (flags & RTE_TCP_RST_FLAG)
		return TCP_EVENT_RST;
	if (flags & RTE_TCP_SYN_FLAG)
		return flags & RTE_TCP_ACK_FLAG ? TCP_EVENT_SYN_ACK : TCP_EVENT_SYN;
	return flags & RTE_TCP_FIN_FLAG ? TCP_EVENT_FIN : TCP_EVENT_OTHER;
}

/* NONE (0) stands for "as it was". */
#define S(symbol) SL_CONN_##symbol
static const uint8_t
	next_state[2][TCP_EVENT_MAX][SL_CONN_STATE_MAX] =
		{
			[SL_DIR_IN] =
				{
					[TCP_EVENT_OTHER] =
						{
							[S(SYN_RECV)] = S(ESTABLISHED),
							[S(LAST_ACK)] = S(TIME_WAIT),
						},
					[TCP_EVENT_FIN] =
						{
							[S(SYN_RECV)] = S(FIN_WAIT),
							[S(ESTABLISHED)] = S(FIN_WAIT),
							[S(CLOSE_WAIT)] = S(LAST_ACK),
						},
					[TCP_EVENT_RST] =
						{
							[S(SYN_SENT)] = S(CLOSE),
							[S(SYN_RECV)] = S(CLOSE),
							[S(ESTABLISHED)] = S(CLOSE),
							[S(FIN_WAIT)] = S(CLOSE),
							[S(CLOSE_WAIT)] = S(CLOSE),
							[S(LAST_ACK)] = S(CLOSE),
							[S(TIME_WAIT)] = S(CLOSE),
						},
				},
			[SL_DIR_OUT] =
				{
					[TCP_EVENT_SYN_ACK] =
						{
							[S(SYN_SENT)] = S(SYN_RECV),
						},
					[TCP_EVENT_OTHER] =
						{
							[S(LAST_ACK)] = S(TIME_WAIT),
						},
					[TCP_EVENT_FIN] =
						{
							[S(SYN_RECV)] = S(CLOSE_WAIT),
							[S(ESTABLISHED)] = S(CLOSE_WAIT),
							[S(FIN_WAIT)] = S(LAST_ACK),
						},
					[TCP_EVENT_RST] =
						{
							[S(SYN_SENT)] = S(CLOSE),
							[S(SYN_RECV)] = S(CLOSE),
							[S(ESTABLISHED)] = S(CLOSE),
							[S(FIN_WAIT)] = S(CLOSE),
							[S(CLOSE_WAIT)] = S(CLOSE),
							[S(LAST_ACK)] = S(CLOSE),
							[S(TIME_WAIT)] = S(CLOSE),
						},
				},
};
#undef S

uint8_t tcp_next_state(uint8_t state, enum sl_conn_dir dir, enum tcp_event event)
{
	uint8_t next = next_state[dir][event][state];

	return next == SL_CONN_NONE ? state : next;
}
