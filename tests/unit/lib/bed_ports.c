/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/lib/bed.h"

#include <string.h>

void bed_ports(struct bed *b, eth_rx_burst_t receive, eth_tx_burst_t transmit)
{
	static void *queue[2][1] = {{(void *)1}, {(void *)2}};

	b->root.n_ports = 2;
	b->worker.n_ports = 2;
	for (uint16_t p = 0; p < 2; p++) {
		b->root.port[p].port_id = p;
		b->root.port[p].mtu = 1500;
		b->root.port[p].mac = (struct rte_ether_addr){{2, 0, 0, 0, 1, (uint8_t)p}};
		memcpy(&b->worker.port_mac[p], &b->root.port[p].mac, RTE_ETHER_ADDR_LEN);
		b->worker.frame_max[p] = 1514;
		rte_eth_fp_ops[p].rx_pkt_burst = receive;
		rte_eth_fp_ops[p].tx_pkt_burst = transmit;
		rte_eth_fp_ops[p].rxq.data = queue[p];
		rte_eth_fp_ops[p].txq.data = queue[p];
	}
}
