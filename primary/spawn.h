/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker as a process: starting it, and saying how it ended. */
#ifndef PRIMARY_SPAWN_H
#define PRIMARY_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

struct boot_config;

/* Start worker `id` under this lcore id. Its pid or -errno. */
pid_t spawn_worker(const struct boot_config *config, unsigned int id, unsigned int lcore);

/* A status of waitpid() in words. */
void spawn_end_text(int status, char *text, size_t len);

#endif
