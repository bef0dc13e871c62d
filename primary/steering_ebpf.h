/* SPDX-License-Identifier: BSD-3-Clause */
/* The steering program of taps by itself, for its test against <sluice/owner.h>. */
#ifndef PRIMARY_STEERING_EBPF_H
#define PRIMARY_STEERING_EBPF_H

#include <stdint.h>

struct steering_addresses;

union bpf_attr;

/* The system call. What it returns, or -errno. */
int ebpf_call(int command, union bpf_attr *attr);

/* A map of addresses that are ours. A descriptor or -errno. */
int ebpf_map_create(uint32_t max_addresses);

/* Make the map's keys these addresses. 0 or -errno. */
int ebpf_map_set(int map, const struct steering_addresses *own);

/* The program that returns a packet's queue. A descriptor or -errno. */
int ebpf_program_load(int map, uint64_t seed, unsigned int n_workers);

#endif
