/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections ended on request (SL_COMMAND_END_CONNECTIONS). The tables are walked once, a slice in
 * a turn of the loop, so that no packet waits for more than a slice. What is opened meanwhile,
 * behind or before the walk, may be met or not.
 *
 * The walk is the process's own: one that dies takes it along. What it ended is ended
 * (conn_close()); ctrl sees that the slot has another process and asks that one again.
 */
#ifndef PURGE_H
#define PURGE_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/msg.h>

struct worker;

struct purge {
	bool pending;
	uint64_t id; /* of the command, for its answer */
	uint64_t until_ns;
	struct sl_conn_filter filter;
	uint32_t at[2]; /* next entry of the table of IPv4, of IPv6 */
	uint64_t ended;
};

/*
 * Begin, unless it has begun: ctrl asks again when it is not sure that it was heard. Another one
 * that is under way ends without an answer.
 */
void purge_begin(struct worker *w, const struct sl_command *command);

/* One slice of what is pending; answers after the last. */
void purge_slice(struct worker *w);

#endif
