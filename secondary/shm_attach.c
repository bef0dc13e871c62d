/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_mempool.h>
#include <rte_memzone.h>

#include <sluice/shm.h>

/* The library tells mempool ops by number: another build's numbers may mean other ops. */
static bool same_pool_ops(const struct sl_root *root)
{
	for (unsigned int w = 0; w < root->n_workers; w++) {
		const struct rte_mempool *mp = root->worker[w]->mempool;

		if (strcmp(rte_mempool_get_ops(mp->ops_index)->name, SL_POOL_OPS))
			return false;
	}
	return true;
}

struct sl_root *sl_root_attach(char *why, size_t why_len)
{
	const struct rte_memzone *mz = rte_memzone_lookup(SL_ROOT_MEMZONE);
	struct sl_root *root = mz ? mz->addr : NULL;

	errno = 0;
	if (!root || __atomic_load_n(&root->magic, __ATOMIC_ACQUIRE) != SL_ROOT_MAGIC) {
		snprintf(why, why_len, "the primary has no shared memory of Sluice (yet)");
		return NULL;
	}
	if (root->abi != SL_ABI_VERSION || root->size != sizeof(*root)) {
		snprintf(why, why_len,
			 "the primary is version %.*s with shared-memory ABI %u, this program has "
			 "ABI %u: restart the primary with this program first",
			 SL_NAME_LEN, root->version, root->abi, SL_ABI_VERSION);
		errno = EPROTONOSUPPORT;
		return NULL;
	}
	if (!same_pool_ops(root)) {
		snprintf(why, why_len,
			 "the primary is linked with other buffer pools than this program");
		return NULL;
	}
	return root;
}
