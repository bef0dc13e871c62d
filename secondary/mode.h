/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Forwarding modes: what a new connection's other side looks like. One file a mode (mode_*.c), its
 * ops the last paragraph; the table is in schedule.c.
 */
#ifndef MODE_H
#define MODE_H

#include <rte_branch_prediction.h>

#include <sluice/drop.h>
#include <sluice/snapshot.h>

struct conn_new;
struct worker;

#define MODE_READY SL_DROP_MAX /* no reason to drop */

struct mode_ops {
	/* Fill c->key[OUT] (and what belongs to it) for a connection to `backend`. */
	enum sl_drop_reason (*prepare)(struct worker *w, const struct sl_virtual_server *vs,
				       const struct sl_backend *backend, struct conn_new *c);
	/* It was prepared, but could not be opened: give back what it took. NULL: nothing. */
	void (*abandon)(struct worker *w, const struct conn_new *c);

	/* The same over IPv6, with key6. ctrl publishes no server of a mode that has none. */
	enum sl_drop_reason (*prepare6)(struct worker *w, const struct sl_virtual_server *vs,
					const struct sl_backend *backend, struct conn_new *c);
	void (*abandon6)(struct worker *w, const struct conn_new *c);
};

/* The backend's port for a connection to port `asked`; both in network byte order. */
static inline uint16_t mode_backend_port(const struct sl_backend *backend, uint16_t asked)
{
	return likely(backend->port) ? backend->port : asked;
}

extern const struct mode_ops mode_fullnat;
extern const struct mode_ops mode_fullnat64; /* over IPv6 alone */
extern const struct mode_ops mode_nat;
extern const struct mode_ops mode_direct; /* DR; IPIP, GRE and GUE */
extern const struct mode_ops mode_snat;

#endif
