/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A process that is killed inside EAL's initialisation can leave locks of the library's
 * shared configuration taken, and then none starts any more. The library does not tell where
 * these locks are. So once, at start, we hold all of them for reading and see which words of
 * the shared configuration's head became one reader: those are the locks. To repair is to zero
 * them, with nobody inside an initialisation (the one who asks holds the EAL lock)
 * and nobody else using them (workers and ctrl don't after their initialisation).
 */
#include "primary/eal.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/log.h>

#include <rte_eal.h>
#include <rte_eal_memconfig.h>
#include <rte_memzone.h>
#include <rte_rwlock.h>

SL_LOG_TYPE(repair_log, "sluice.primary.repair");

#define HEAD_WORDS 16

static uint32_t *head; /* of the shared configuration */
static bool is_lock[HEAD_WORDS];

/*
 * Where EAL has mapped it. The file must not be opened again: closing it would drop the
 * record lock by which other processes know that their primary lives.
 */
static int find_head(void)
{
	char line[PATH_MAX + 128], dir[PATH_MAX], path[PATH_MAX + 16];
	FILE *maps;

	if (!realpath(rte_eal_get_runtime_dir(), dir))
		return -errno;
	maps = fopen("/proc/self/maps", "re");
	if (!maps)
		return -errno;
	snprintf(path, sizeof(path), " %s/config\n", dir);
	while (!head && fgets(line, sizeof(line), maps)) {
		const char *end = strstr(line, path);

		if (end && !strcmp(end, path))
			head = (uint32_t *)(uintptr_t)strtoull(line, NULL, 16);
	}
	fclose(maps);
	return head ? 0 : -ENOENT;
}

/* Called with every lock held: the walk over memory zones holds the last one. */
static void note_held(const struct rte_memzone *zone, void *free_before)
{
	const bool *was_free = free_before;

	(void)zone;
	for (unsigned int i = 0; i < HEAD_WORDS; i++)
		is_lock[i] = was_free[i] && head[i] == RTE_RWLOCK_READ;
}

/* There must be a memory zone, or the walk has nothing to call for. */
int eal_find_locks(void)
{
	bool was_free[HEAD_WORDS];
	unsigned int found = 0;
	int rc = find_head();

	if (rc) {
		sl_log(repair_log, ERR, "shared configuration of the library: %s", strerror(-rc));
		return rc;
	}
	for (unsigned int i = 0; i < HEAD_WORDS; i++)
		was_free[i] = head[i] == 0;
	rte_mcfg_mem_read_lock();
	rte_mcfg_tailq_read_lock();
	rte_mcfg_mempool_read_lock();
	rte_memzone_walk(note_held, was_free);
	rte_mcfg_mempool_read_unlock();
	rte_mcfg_tailq_read_unlock();
	rte_mcfg_mem_read_unlock();
	for (unsigned int i = 0; i < HEAD_WORDS; i++)
		found += is_lock[i];
	sl_log(repair_log, DEBUG, "%u locks of the library found", found);
	return 0;
}

void eal_repair(void)
{
	for (unsigned int i = 0; i < HEAD_WORDS; i++) {
		if (!is_lock[i] || !head[i])
			continue;
		sl_log(repair_log, NOTICE, "lock %u of the library was left taken (%#x): freed", i,
		       head[i]);
		__atomic_store_n(&head[i], 0, __ATOMIC_SEQ_CST);
	}
}
