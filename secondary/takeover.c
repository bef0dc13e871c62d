/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/takeover.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include <sluice/shm.h>

#include "secondary/choose.h"
#include "secondary/command.h"
#include "secondary/drain.h"
#include "secondary/fragment_table.h"
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
	w->server_stats = w->slot->virtual_server_stats;
	w->backend_stats = w->slot->backend_stats;
	w->id = id;
	w->n_workers = root->n_workers;
	w->n_ports = root->n_ports;
	for (unsigned int p = 0; p < w->n_ports; p++) {
		memcpy(&w->port_mac[p], &root->port[p].mac, sizeof(root->port[p].mac));
		w->frame_max[p] = root->port[p].mtu + RTE_ETHER_HDR_LEN;
	}
	clock_init(&w->clock);
	conn_attach(&w->conns, &w->slot->conns, root->seed);
	conn_attach(&w->conns6, &w->slot->conns6, root->seed);
	rc = repair_prepare(w);
	if (!rc)
		rc = neigh_prepare(w);
	if (!rc)
		rc = choose_prepare(w);
	return rc ? rc : local_port_prepare(w);
}

/*
 * Whoever waits goes before what else runs on its CPU, the dying worker's last work among it; it
 * only wakes to beat. As the worker it is like everybody else. Without the right to
 * do so (CAP_SYS_NICE, RLIMIT_RTPRIO) take-overs wait for their turn.
 */
static void go_first(bool first)
{
	struct sched_param param = {.sched_priority = first};

	sched_setscheduler(0, first ? SCHED_FIFO : SCHED_OTHER, &param);
}

/*
 * The pages of the program, which would else be found one by one by the new worker's first
 * packets. A kernel before 5.14 does not know how; then they are.
 */
static void fetch_program(void)
{
	extern char __executable_start, etext;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t start = (uintptr_t)&__executable_start & ~(page - 1);

	madvise((void *)start, (uintptr_t)&etext - start, MADV_POPULATE_READ);
}

/*
 * The library's threads, which have next to nothing to do, go to the other CPUs, if there are any.
 * A signal that kills wakes them, too, and on the worker's CPU they would often end before it, 0.1
 * ms each, and the lease only with the worker.
 */
static void send_others_away(void)
{
	DIR *tasks = opendir("/proc/self/task");
	cpu_set_t own, set;

	sched_getaffinity(0, sizeof(own), &own);
	memset(&set, 0xff, sizeof(set));
	CPU_XOR(&set, &set, &own);
	for (struct dirent *e; tasks && (e = readdir(tasks));)
		if (atoi(e->d_name) && atoi(e->d_name) != gettid())
			sched_setaffinity(atoi(e->d_name), sizeof(set), &set);
	if (tasks)
		closedir(tasks);
}

/*
 * A memif port maps its rings in a process at the first burst, which is lost by it, or when it is
 * asked for its link. Asked of other drivers it may write what is the primary's. Again and again,
 * since the peer may connect, or go, while a standby waits.
 */
static void map_rings(const struct sl_root *root)
{
	struct rte_eth_dev_info info;
	struct rte_eth_link link;

	for (unsigned int p = 0; p < root->n_ports; p++)
		if (!rte_eth_dev_info_get(root->port[p].port_id, &info) &&
		    !strcmp(info.driver_name, "net_memif"))
			rte_eth_link_get_nowait(root->port[p].port_id, &link);
}

int takeover_wait(struct worker *w, unsigned int k, const volatile sig_atomic_t *stop,
		  bool *owner_died)
{
	struct sl_worker_slot *slot = w->slot;
	int rc;

	fetch_program();
	send_others_away();
	map_rings(w->root); /* may take 0.1 s: before anybody counts on us */
	go_first(true);
	__atomic_store_n(&slot->standby[k].pid, (uint32_t)getpid(), __ATOMIC_RELEASE);
	do {
		clock_init(&w->clock);
		slot->standby[k].beat_ns = w->clock.ns;
		rc = sl_lease_acquire(&slot->lease, ROUND_MS, owner_died);
		if (rc == -ETIMEDOUT)
			map_rings(w->root);
	} while (rc == -ETIMEDOUT && !*stop);
	if (rc == -ETIMEDOUT || (!rc && *stop && !*owner_died)) {
		if (!rc)
			sl_lease_release(&slot->lease);
		rc = -ECANCELED;
	}
	__atomic_store_n(&slot->standby[k].pid, 0, __ATOMIC_RELEASE);
	if (rc)
		go_first(false); /* its end may take its time */
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
	fragment_table_attach(w, owner_died);
	slot->worker.heartbeat_ns = w->clock.ns;
	drain_look(w);
	command_switch_snapshot(w);
	__atomic_store_n(&slot->worker.running, 1, __ATOMIC_RELEASE);
}

void takeover_end(void)
{
	go_first(false);
}
