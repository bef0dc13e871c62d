/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Queue pair w of every port is worker w's, filled from worker w's pool.
 *
 * A tap's receive queue holds as many buffers as it has descriptors, but uses only
 * the first (the others are for scattered receive, which we don't use), and whatever a
 * queue holds when its worker is killed is at stake. So taps get one descriptor.
 */
#include "primary/ports.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sluice/log.h>
#include <sluice/shm.h>

#include <rte_ethdev.h>

#include "primary/boot_config.h"
#include "primary/tap.h"

SL_LOG_TYPE(ports_log, "sluice.primary.ports");

/* What one port is set up with. */
struct port_setup {
	const struct boot_port *boot;
	const struct sl_root *root;
	uint16_t id;
	struct rte_eth_dev_info info;
};

static int complain(const struct boot_port *p, const char *what, int rc)
{
	sl_log(ports_log, ERR, "port %s (%s): %s: %s", p->name, p->device, what, rte_strerror(-rc));
	return rc;
}

/* The device's name is what stands before its arguments. */
static int find_device(struct port_setup *s)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	int rc;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(s->boot->device, ","), s->boot->device);
	rc = rte_eth_dev_get_port_by_name(name, &s->id);
	if (rc)
		return complain(s->boot, "there is no such device, or no driver took it", rc);
	rc = rte_eth_dev_info_get(s->id, &s->info);
	return rc ? complain(s->boot, "what it can", rc) : 0;
}

static int check_device(const struct port_setup *s)
{
	unsigned int queues = RTE_MIN(s->info.max_rx_queues, s->info.max_tx_queues);

	if (queues < s->root->n_workers) {
		sl_log(ports_log, ERR, "port %s (%s): has %u queue pairs, %u workers need one each",
		       s->boot->name, s->boot->device, queues, s->root->n_workers);
		return -ENOSPC;
	}
	if (s->boot->mtu > s->info.max_mtu || s->boot->mtu < s->info.min_mtu) {
		sl_log(ports_log, ERR, "port %s (%s): takes an MTU from %u to %u, not %u",
		       s->boot->name, s->boot->device, s->info.min_mtu, s->info.max_mtu,
		       s->boot->mtu);
		return -ERANGE;
	}
	return 0;
}

/*
 * Of the receive offloads workers use the verdict on the IPv4 header. A tap would
 * compute it in software, which the worker does better.
 */
static struct rte_eth_conf device_config(const struct port_setup *s)
{
	struct rte_eth_conf conf = {.rxmode = {.mtu = s->boot->mtu}};
	uint64_t hash =
		s->info.flow_type_rss_offloads &
		(RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP);

	if (s->boot->tap)
		return conf;
	conf.intr_conf.lsc = !!(*s->info.dev_flags & RTE_ETH_DEV_INTR_LSC);
	conf.rxmode.offloads = s->info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	if (s->boot->steer && s->root->n_workers > 1 && s->info.reta_size && hash) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = hash;
	}
	return conf;
}

/*
 * What the queues hold while nobody is inside the driver. Virtual devices take their buffers
 * from the pool when a packet comes and have freed them when a burst is sent; a tap prepares
 * as many as it has descriptors. Real ones keep every descriptor filled, some a burst or two
 * besides, until their turn comes again.
 */
static void describe_queues(const struct port_setup *s, uint16_t rx, uint16_t tx,
			    struct sl_port *port)
{
	const char *driver = s->info.driver_name;

	if (s->boot->tap) {
		port->rx_held = rx;
	} else if (strcmp(driver, "net_null") && strcmp(driver, "net_memif") &&
		   strcmp(driver, "net_ring")) {
		port->rx_held = rx + 2 * SL_BURST;
		port->tx_held = tx;
	}
}

static int set_up_queues(const struct port_setup *s, const struct rte_eth_conf *conf,
			 struct sl_port *port)
{
	uint16_t rx = boot_port_descriptors(s->boot), tx = rx;
	struct rte_eth_rxconf rxconf = s->info.default_rxconf;
	struct rte_eth_txconf txconf = s->info.default_txconf;
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(s->id, &rx, &tx);

	if (rc)
		return complain(s->boot, "descriptors", rc);
	describe_queues(s, rx, tx, port);
	rxconf.offloads = conf->rxmode.offloads;
	txconf.offloads = 0; /* not even fast free: buffers of several pools leave by a queue */
	for (unsigned int w = 0; w < s->root->n_workers; w++) {
		const struct sl_worker_slot *slot = s->root->worker[w];

		rc = rte_eth_rx_queue_setup(s->id, w, rx, slot->numa_node, &rxconf, slot->mempool);
		if (rc)
			return complain(s->boot, "receive queue", rc);
		rc = rte_eth_tx_queue_setup(s->id, w, tx, slot->numa_node, &txconf);
		if (rc)
			return complain(s->boot, "transmit queue", rc);
	}
	return 0;
}

/* A device that can't filter addresses (some virtual ones) shows a worker more than it needs. */
static int set_modes(const struct port_setup *s)
{
	int rc = rte_eth_dev_set_mtu(s->id, s->boot->mtu);

	if (rc && rc != -ENOTSUP)
		return complain(s->boot, "MTU", rc);
	rc = rte_eth_promiscuous_disable(s->id);
	if (rc && rc != -ENOTSUP)
		return complain(s->boot, "promiscuous mode", rc);
	rc = rte_eth_allmulticast_enable(s->id); /* neighbour discovery: 33:33:ff:... */
	if (rc && rc != -ENOTSUP)
		return complain(s->boot, "multicast", rc);
	return 0;
}

/* The link changed; called by EAL's interrupt thread. */
static int link_changed(uint16_t id, enum rte_eth_event_type event, void *port, void *unused)
{
	struct rte_eth_link link;

	(void)event;
	(void)unused;
	if (rte_eth_link_get_nowait(id, &link))
		return 0;
	__atomic_store_n(&((struct sl_port *)port)->link_up, link.link_status, __ATOMIC_RELAXED);
	sl_log(ports_log, NOTICE, "port %s: link %s", ((struct sl_port *)port)->name,
	       link.link_status ? "up" : "down");
	return 0;
}

/*
 * A tap's link is its open file. Asking the driver would be wrong: it looks for the interface
 * in our network namespace, which the interface usually has left.
 */
static int follow_link(const struct port_setup *s, struct sl_port *port)
{
	if (s->boot->tap) {
		port->link_up = 1;
		return 0;
	}
	link_changed(s->id, RTE_ETH_EVENT_INTR_LSC, port, NULL);
	return rte_eth_dev_callback_register(s->id, RTE_ETH_EVENT_INTR_LSC, link_changed, port);
}

static int describe(const struct port_setup *s, struct sl_port *port)
{
	snprintf(port->name, sizeof(port->name), "%s", s->boot->name);
	port->port_id = s->id;
	port->mtu = s->boot->mtu;
	port->steering = SL_STEERING_NONE;
	return rte_eth_macaddr_get(s->id, &port->mac);
}

static int start_port(const struct boot_port *boot, struct sl_root *root, struct sl_port *port)
{
	struct port_setup s = {.boot = boot, .root = root};
	struct rte_eth_conf conf;
	int rc = find_device(&s);

	if (!rc)
		rc = check_device(&s);
	if (rc)
		return rc;
	conf = device_config(&s);
	rc = rte_eth_dev_configure(s.id, root->n_workers, root->n_workers, &conf);
	if (rc)
		return complain(boot, "configure", rc);
	rc = set_up_queues(&s, &conf, port);
	if (!rc)
		rc = set_modes(&s);
	if (rc)
		return rc;
	rc = rte_eth_dev_start(s.id);
	if (rc)
		return complain(boot, "start", rc);
	rc = describe(&s, port);
	if (rc)
		return complain(boot, "MAC address", rc);
	rc = follow_link(&s, port);
	if (rc)
		return complain(boot, "link state", rc);
	sl_log(ports_log, INFO, "port %s (%s): " RTE_ETHER_ADDR_PRT_FMT ", MTU %u", boot->name,
	       boot->device, RTE_ETHER_ADDR_BYTES(&port->mac), port->mtu);
	return 0;
}

int ports_start(const struct boot_config *config, struct sl_root *root)
{
	int rc = 0;

	sl_pool_act_as_all();
	for (unsigned int i = 0; i < config->n_ports && !rc; i++)
		rc = start_port(&config->port[i], root, &root->port[i]);
	tap_quiet();
	return rc;
}

void ports_stop(struct sl_root *root)
{
	uint16_t id;

	sl_pool_act_as_all();
	RTE_ETH_FOREACH_DEV (id) {
		rte_eth_dev_stop(id);
		rte_eth_dev_close(id);
	}
	root->n_ports = 0;
}
