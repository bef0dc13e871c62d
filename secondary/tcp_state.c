/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/tcp_state.h"

#define S(symbol) SL_CONN_##symbol
const uint8_t tcp_transitions[2][TCP_EVENT_MAX]
			     [SL_CONN_STATE_MAX] = {
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
								     [S(ESTABLISHED)] =
									     S(CLOSE_WAIT),
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
