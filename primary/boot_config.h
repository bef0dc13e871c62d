/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The boot configuration (conf/sluice.yaml): what the primary needs before anything runs.
 * Read strictly: an unknown, missing or repeated key and a value that can't be is an error
 * that names file and line and says what is allowed.
 */
#ifndef PRIMARY_BOOT_CONFIG_H
#define PRIMARY_BOOT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/limits.h>

#define BOOT_DIR_LEN    80 /* a socket's name must fit sun_path behind it */
#define BOOT_SOCKET_LEN 64 /* directory and instance together, for a socket of EAL's */
#define BOOT_DEVICE_LEN 256
#define BOOT_MAX_TAP    4 /* queue pairs that a tap can have */

struct boot_port {
	unsigned int line;
	char name[SL_NAME_LEN];
	char device[BOOT_DEVICE_LEN]; /* vdev arguments, or a PCI address */
	uint32_t mtu;                 /* bytes of IP packet */
	uint32_t descriptors;         /* of each queue */
	bool steer;                   /* false: `steering: none` */
	bool pci;
	bool tap;
};

struct boot_worker {
	unsigned int line;
	uint32_t cpu;
};

struct boot_hugepages {
	unsigned int line;
	char directory[BOOT_DIR_LEN]; /* a hugetlbfs mount */
};

struct boot_limits {
	unsigned int line;
	uint32_t connections;
	uint32_t connections_ipv6;
	uint32_t buffers;
	uint32_t neighbours;
	uint32_t virtual_servers;
	uint32_t backends;
	uint32_t local_addresses;
	uint32_t port_pools_per_address;
	uint32_t persistence_templates;
	uint64_t snapshot; /* bytes of one half of the arena */
};

struct boot_config {
	unsigned int line;
	char instance[SL_NAME_LEN];
	char runtime_dir[BOOT_DIR_LEN];
	struct boot_hugepages hugepages;
	struct boot_port port[SL_MAX_PORTS];
	struct boot_worker worker[SL_MAX_WORKERS];
	unsigned int n_ports;
	unsigned int n_workers;
	bool standby;      /* a second process for each worker */
	uint32_t watchdog; /* milliseconds without a beat after which a worker hangs; 0: never */
	bool idle_spin;
	struct boot_limits limits;
};

/* Read `path`. 0; -EINVAL (or -errno) with `FILE:LINE: reason` in `why`. */
int boot_config_load(const char *path, struct boot_config *config, char *why, size_t why_len);

/* Descriptors that each queue of the port really gets (see ports.c for taps). */
uint32_t boot_port_descriptors(const struct boot_port *port);

#endif
