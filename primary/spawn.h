/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker as a process: starting it, and saying how it ended.
 *
 * A program is an open file, so that what runs in a slot stays the same whatever is installed
 * meanwhile; a new build is picked up when somebody opens the path again.
 */
#ifndef PRIMARY_SPAWN_H
#define PRIMARY_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct boot_config;

/* Remember by which path we were started. 0 or -errno. */
int spawn_init(void);

/* A --log-level for all that is started; `text` has to last. False: there are too many. */
bool spawn_log_level(const char *text);

/* Our own program, and the one that is at its path now: files to be closed, or -errno. */
int spawn_running_program(void);
int spawn_installed_program(void);

/* Start worker `id` from `program` under this lcore id. Its pid or -errno. */
pid_t spawn_worker(const struct boot_config *config, int program, unsigned int id,
		   unsigned int lcore);

/* A status of waitpid() in words. */
void spawn_end_text(int status, char *text, size_t len);

#endif
