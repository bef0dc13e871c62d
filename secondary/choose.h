/* SPDX-License-Identifier: BSD-3-Clause */
/* The backend of a new connection, whatever the scheduler, within the limits. */
#ifndef CHOOSE_H
#define CHOOSE_H

#include <stdint.h>

#include <sluice/addr.h>
#include <sluice/drop.h>
#include <sluice/snapshot.h>

struct worker;

#define CHOOSE_DONE SL_DROP_MAX /* no reason to drop */

/* What a choice may depend on: who asks, and what with. */
struct choose_packet {
	struct sl_addr client;
	uint16_t client_port;   /* network byte order */
	uint16_t payload_len;   /* bytes; 0 but for UDP */
	const uint8_t *payload; /* of a datagram */
};

/*
 * A position in the virtual server's backends. `p` may be NULL for a server that has neither hash
 * key nor persistence. The connection is counted for server and backend (claims.h): if it is not
 * opened, or when it ends, that is given back. Else the reason.
 */
enum sl_drop_reason choose_backend(struct worker *w, const struct sl_virtual_server *vs,
				   const struct choose_packet *p, uint32_t *pick);

/*
 * What the virtual server's scheduler chooses and the backend's limit lets, for a packet with this
 * hash: a position in its backends, claimed; SCHED_NO_BACKEND: none.
 */
uint32_t choose_claim(struct worker *w, const struct sl_virtual_server *vs, uint64_t hash);

/* Room for what a worker keeps to choose by. -ENOMEM. */
int choose_prepare(struct worker *w);

/* Hash of a packet, by the server's hash_key; the same in every worker and every appliance. */
uint64_t choose_hash(const struct sl_virtual_server *vs, const struct choose_packet *p);

#endif
