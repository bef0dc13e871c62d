/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The device's hash over its queues (set up by ports.c), spread evenly: it is not
 * our hash, so it balances the work but does not find the owner.
 */
#include "primary/steering.h"

#include <errno.h>
#include <string.h>

#include <rte_ethdev.h>

static int rss_attach(struct steering *s)
{
	struct rte_eth_rss_reta_entry64 reta[RTE_ETH_RSS_RETA_SIZE_512 / RTE_ETH_RETA_GROUP_SIZE];
	struct rte_eth_dev_info info;
	struct rte_eth_rss_conf hash = {0};
	int rc = rte_eth_dev_info_get(s->port_id, &info);

	if (rc)
		return rc;
	if (!info.reta_size || info.reta_size > RTE_ETH_RSS_RETA_SIZE_512 ||
	    rte_eth_dev_rss_hash_conf_get(s->port_id, &hash) || !hash.rss_hf)
		return -ENOTSUP;
	memset(reta, 0, sizeof(reta));
	for (unsigned int i = 0; i < info.reta_size; i++) {
		struct rte_eth_rss_reta_entry64 *group = &reta[i / RTE_ETH_RETA_GROUP_SIZE];

		group->mask |= UINT64_C(1) << i % RTE_ETH_RETA_GROUP_SIZE;
		group->reta[i % RTE_ETH_RETA_GROUP_SIZE] = i % s->root->n_workers;
	}
	return rte_eth_dev_rss_reta_update(s->port_id, reta, info.reta_size);
}

static int rss_refresh(struct steering *s, const struct steering_addresses *own)
{
	(void)s;
	(void)own;
	return 0;
}

static void rss_detach(struct steering *s)
{
	(void)s;
}

const struct steering_ops steering_rss = {
	.kind = SL_STEERING_RSS,
	.name = "rss",
	.attach = rss_attach,
	.refresh = rss_refresh,
	.detach = rss_detach,
};
