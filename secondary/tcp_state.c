/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/tcp_state.h"

#define IN(event, state)     [SL_DIR_IN][TCP_EVENT_##event][SL_CONN_##state]
#define OUT(event, state)    [SL_DIR_OUT][TCP_EVENT_##event][SL_CONN_##state]
#define DIRECT(event, state) [TCP_WAY_DIRECT][TCP_EVENT_##event][SL_CONN_##state]
#define RESET(state)                                                     \
	IN(RST, state) = SL_CONN_CLOSE, OUT(RST, state) = SL_CONN_CLOSE, \
		DIRECT(RST, state) = SL_CONN_CLOSE

/* clang-format off */
const uint8_t tcp_transitions[TCP_WAYS][TCP_EVENT_MAX][SL_CONN_STATE_MAX] = {
	OUT(SYN_ACK, SYN_SENT) = SL_CONN_SYN_RECV,
	IN(OTHER, SYN_RECV) = SL_CONN_ESTABLISHED,

	IN(FIN, SYN_RECV) = SL_CONN_FIN_WAIT,
	IN(FIN, ESTABLISHED) = SL_CONN_FIN_WAIT,
	IN(FIN, CLOSE_WAIT) = SL_CONN_LAST_ACK,
	OUT(FIN, SYN_RECV) = SL_CONN_CLOSE_WAIT,
	OUT(FIN, ESTABLISHED) = SL_CONN_CLOSE_WAIT,
	OUT(FIN, FIN_WAIT) = SL_CONN_LAST_ACK,
	IN(OTHER, LAST_ACK) = SL_CONN_TIME_WAIT,
	OUT(OTHER, LAST_ACK) = SL_CONN_TIME_WAIT,

	/* The backend's SYN+ACK is inferred, its FIN is not known of. */
	DIRECT(OTHER, SYN_SENT) = SL_CONN_ESTABLISHED,
	DIRECT(FIN, SYN_SENT) = SL_CONN_FIN_WAIT,
	DIRECT(FIN, ESTABLISHED) = SL_CONN_FIN_WAIT,

	RESET(SYN_SENT), RESET(SYN_RECV), RESET(ESTABLISHED), RESET(FIN_WAIT),
	RESET(CLOSE_WAIT), RESET(LAST_ACK), RESET(TIME_WAIT),
};
/* clang-format on */
