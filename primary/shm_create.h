/* SPDX-License-Identifier: BSD-3-Clause */
/* Creating the shared memory of <sluice/shm.h>, whose sizes follow from the configuration. */
#ifndef PRIMARY_SHM_CREATE_H
#define PRIMARY_SHM_CREATE_H

#include <stdint.h>

struct boot_config;
struct huge_need;
struct sl_root;

/* Hugepage memory by node that everything takes, EAL included. 0, or -EOVERFLOW. */
int shm_need(const struct boot_config *config, struct huge_need *need);

/*
 * All regions but for what ports.c fills in. NULL with errno, the reason logged.
 * Nothing is undone: the caller leaves, and EAL's cleanup takes it all.
 */
struct sl_root *shm_create(const struct boot_config *config);

/* From here on other processes may attach. */
void shm_publish(struct sl_root *root);

/* Data bytes of a packet buffer, headroom included. */
uint16_t shm_data_room(const struct boot_config *config);

#endif
