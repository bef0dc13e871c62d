/* SPDX-License-Identifier: BSD-3-Clause */
/* What few packets meet on their way out. */
#ifndef EXIT_H
#define EXIT_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/conn.h>

struct burst;
struct worker;

/* Packet `at`, as it came, is over `mtu` bytes: tell its sender if it must not be fragmented. */
void exit_too_big(struct worker *w, const struct burst *b, unsigned int at, uint32_t mtu);

/* Over IPv6, where routers never fragment. */
void exit6_too_big(struct worker *w, const struct burst *b, unsigned int at, uint32_t mtu);

/*
 * A packet that was rewritten for its connection does not fit: it leaves in fragments, or is
 * dropped and exit_too_big() tells its sender. True: it left.
 */
bool exit_rewritten_too_big(struct worker *w, struct burst *b, unsigned int at);

/* Of a connection with SL_CONN_F_CLAMP: a SYN's greatest segment size. */
void exit_clamp(struct worker *w, const struct sl_conn *e, char *frame);
void exit6_clamp(struct worker *w, const struct sl_conn6 *e, char *l4);

#endif
