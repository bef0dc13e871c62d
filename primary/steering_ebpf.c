/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Taps: the kernel asks an eBPF program (steering_program.c) for the queue of each packet. The
 * addresses that are ours are in a map, changed while packets flow.
 */
#include "primary/steering_ebpf.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include "primary/steering.h"
#include "primary/tap.h"

#define INTERFACE_ADDRESSES 1024 /* in the map, besides the virtual and local ones */

int ebpf_call(int command, union bpf_attr *attr)
{
	long rc = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return rc < 0 ? -errno : rc;
}

int ebpf_map_create(uint32_t max_addresses)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_HASH,
		.key_size = sizeof(struct sl_addr),
		.value_size = sizeof(uint8_t),
		.max_entries = max_addresses,
		.map_flags = BPF_F_NO_PREALLOC, /* most configurations have far fewer */
		.map_name = "sluice_own",
	};

	return ebpf_call(BPF_MAP_CREATE, &attr);
}

/* Delete keys that are not wanted. After a deletion the walk begins again. */
static int map_prune(int map, const struct steering_addresses *own)
{
	struct sl_addr key, next;
	bool begin = true;

	for (;;) {
		union bpf_attr walk = {.map_fd = (uint32_t)map,
				       .key = begin ? 0 : (uintptr_t)&key,
				       .next_key = (uintptr_t)&next};
		union bpf_attr del = {.map_fd = (uint32_t)map, .key = (uintptr_t)&next};
		int rc = ebpf_call(BPF_MAP_GET_NEXT_KEY, &walk);

		if (rc)
			return rc == -ENOENT ? 0 : rc;
		begin = !steering_find(own, &next);
		if (begin)
			rc = ebpf_call(BPF_MAP_DELETE_ELEM, &del);
		if (rc)
			return rc;
		key = next;
	}
}

int ebpf_map_set(int map, const struct steering_addresses *own)
{
	int rc = map_prune(map, own);

	for (uint32_t i = 0; i < own->n && !rc; i++) {
		union bpf_attr attr = {.map_fd = (uint32_t)map,
				       .key = (uintptr_t)&own->address[i].addr,
				       .value = (uintptr_t)&own->address[i].by,
				       .flags = BPF_ANY};

		rc = ebpf_call(BPF_MAP_UPDATE_ELEM, &attr);
	}
	return rc;
}

static int ebpf_attach(struct steering *s)
{
	struct rte_eth_dev_info info;
	char interface[IF_NAMESIZE];
	int file = -1, rc = rte_eth_dev_info_get(s->port_id, &info);

	if (!rc && if_indextoname(info.if_index, interface))
		file = tap_file(interface);
	if (file < 0)
		return -ENOTSUP;
	s->map = ebpf_map_create(s->root->max_virtual_servers + s->root->max_local_addresses +
				 INTERFACE_ADDRESSES);
	if (s->map < 0)
		return s->map;
	s->program = ebpf_program_load(s->map, s->root->seed, s->root->n_workers);
	if (s->program >= 0 && !ioctl(file, TUNSETSTEERINGEBPF, &s->program))
		return 0;
	rc = s->program < 0 ? s->program : -errno;
	if (s->program >= 0)
		close(s->program);
	close(s->map);
	return rc;
}

static int ebpf_refresh(struct steering *s, const struct steering_addresses *own)
{
	return ebpf_map_set(s->map, own);
}

/* The tap holds the program, the program the map. */
static void ebpf_detach(struct steering *s)
{
	close(s->program);
	close(s->map);
}

const struct steering_ops steering_ebpf = {
	.kind = SL_STEERING_EBPF,
	.name = "ebpf",
	.attach = ebpf_attach,
	.refresh = ebpf_refresh,
	.detach = ebpf_detach,
};
