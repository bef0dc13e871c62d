/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/tx.h"

#include <rte_ethdev.h>

#include "secondary/worker.h"

void tx_flush_port(struct worker *w, unsigned int port)
{
	struct sl_port_stats *stats = &w->stats->port[port];
	struct tx *tx = &w->tx[port];
	uint16_t n = (uint16_t)tx->n, sent;

	if (!n)
		return;
	sent = rte_eth_tx_burst(w->root->port[port].port_id, (uint16_t)w->id, tx->pkt, n);
	stats->tx_packets += sent;
	stats->tx_bytes += tx->bytes;
	tx->n = 0;
	tx->bytes = 0;
	if (likely(sent == n))
		return;
	for (uint16_t i = sent; i < n; i++)
		stats->tx_bytes -= tx->pkt[i]->pkt_len;
	count_drop(w, SL_DROP_TX_FULL, n - sent);
	rte_pktmbuf_free_bulk(&tx->pkt[sent], n - sent);
}

void tx_flush(struct worker *w)
{
	for (unsigned int port = 0; port < w->n_ports; port++)
		tx_flush_port(w, port);
}
