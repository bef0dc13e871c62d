/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/takeover.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <sluice/shm.h>

#include "secondary/command.h"
#include "secondary/local_port.h"
#include "secondary/repair.h"
#include "secondary/worker.h"

#define ROUND_MS 100 /* of waiting; so long may a standby be deaf */

int takeover_prepare(struct worker *w, struct sl_root *root, unsigned int id)
{
	int rc;

	memset(w, 0, sizeof(*w));
	w->root = root;
	w->slot = root->worker[id];
	w->stats = &w->slot->stats;
	w->id = id;
	w->n_workers = root->n_workers;
	w->n_ports = root->n_ports;
	for (unsigned int p = 0; p < w->n_ports; p++) {
		memcpy(&w->port_mac[p], &root->port[p].mac, sizeof(root->port[p].mac));
		w->frame_max[p] = root->port[p].mtu + RTE_ETHER_HDR_LEN;
	}
	clock_init(&w->clock);
	conn_attach(&w->conns, &w->slot->conns, root->seed);
	rc = neigh_prepare(w);
	return rc ? rc : local_port_prepare(w);
}

int takeover_wait(struct worker *w, unsigned int k, const volatile sig_atomic_t *stop,
		  bool *owner_died)
{
	struct sl_worker_slot *slot = w->slot;
	int rc;

	__atomic_store_n(&slot->standby[k].pid, (uint32_t)getpid(), __ATOMIC_RELEASE);
	do {
		clock_init(&w->clock);
		slot->standby[k].beat_ns = w->clock.ns;
		rc = sl_lease_acquire(&slot->lease, ROUND_MS, owner_died);
	} while (rc == -ETIMEDOUT && !*stop);
	if (rc == -ETIMEDOUT || (!rc && *stop && !*owner_died)) {
		if (!rc)
			sl_lease_release(&slot->lease);
		rc = -ECANCELED;
	}
	__atomic_store_n(&slot->standby[k].pid, 0, __ATOMIC_RELEASE);
	return rc;
}

void takeover_bind(struct worker *w, bool owner_died)
{
	struct sl_worker_slot *slot = w->slot;

	slot->worker.running = 0;
	__atomic_store_n(&slot->worker.pid, (uint32_t)getpid(), __ATOMIC_RELEASE);
	slot->worker.incarnation++;
	clock_init(&w->clock);
	sl_pool_act_as(w->id);
	if (owner_died)
		repair_slot(w);
	repair_watch_ports(w);
	neigh_attach(w);
	slot->worker.heartbeat_ns = w->clock.ns;
	command_switch_snapshot(w);
	__atomic_store_n(&slot->worker.running, 1, __ATOMIC_RELEASE);
}
