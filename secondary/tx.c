/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/tx.h"

#include <rte_ethdev.h>

#include "secondary/worker.h"

void tx_flush_port(struct worker *w, unsigned int port)
{
	struct sl_port_stats *stats = &w->stats->port[port];
	struct rte_mbuf **pkt = w->tx.pkt[port];
	uint16_t n = w->tx.n[port], sent;
	uint64_t bytes = 0;

	if (!n)
		return;
	for (uint16_t i = 0; i < n; i++)
		bytes += pkt[i]->pkt_len;
	sent = rte_eth_tx_burst(w->root->port[port].port_id, (uint16_t)w->id, pkt, n);
	w->tx.n[port] = 0;
	stats->tx_packets += sent;
	stats->tx_bytes += bytes;
	if (likely(sent == n))
		return;
	for (uint16_t i = sent; i < n; i++)
		stats->tx_bytes -= pkt[i]->pkt_len;
	count_drop(w, SL_DROP_TX_FULL, n - sent);
	rte_pktmbuf_free_bulk(&pkt[sent], n - sent);
}

void tx_flush(struct worker *w)
{
	for (unsigned int port = 0; port < w->n_ports; port++)
		tx_flush_port(w, port);
}
