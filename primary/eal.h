/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Starting EAL. What the primary needs of it; what secondaries need is in <sluice/eal.h>.
 *
 * Initialisation is one at a time: flock on <runtime_dir>/eal.lock. While it goes on
 * the file holds a mark, so the next one knows when its predecessor died inside and
 * may have left the library's shared locks taken (no process would start any more). Then it
 * asks the primary to repair (eal_repair), while it holds the lock itself.
 */
#ifndef PRIMARY_EAL_H
#define PRIMARY_EAL_H

struct boot_config;

/*
 * Take the EAL lock, waiting at most 10 s. The descriptor, whose closing
 * releases it, or -errno.
 */
int eal_lock(const char *runtime_dir);

/*
 * Become the primary. `socket_mem` is megabytes of hugepages by NUMA node, with
 * commas. The caller holds the EAL lock. 0 or -errno, the reason logged.
 */
int eal_init_primary(const char *program, const struct boot_config *config, const char *socket_mem);

/* Primary, once, when memory zones exist: find what eal_repair() repairs. 0 or -errno, logged. */
int eal_find_locks(void);

/* Primary: free the library's shared locks, nobody being inside an initialisation. */
void eal_repair(void);

/* Leave EAL and take what it would leave in the file system; other processes keep theirs. */
void eal_leave(const struct boot_config *config);

#endif
