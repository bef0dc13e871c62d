/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/state.h"

bool state_tcp_event(struct worker *w, struct conn_table *t, struct sl_conn_core *e,
		     unsigned int way, uint8_t flags)
{
	enum tcp_event event = tcp_event_of(flags);
	uint8_t next = tcp_next_state(e->state, way, event);

	if (unlikely(event == TCP_EVENT_SYN && way != SL_DIR_OUT && state_ended(e)))
		return false;
	if (next != e->state)
		conn_set_state(w, t, e, next);
	return true;
}
