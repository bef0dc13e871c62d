/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Are there hugepages enough? Asked before EAL starts, so that the answer can
 * name the node, the number and the command, which EAL's own failure does not.
 */
#ifndef PRIMARY_HUGEPAGES_H
#define PRIMARY_HUGEPAGES_H

#include <stdint.h>

#include <rte_config.h>

/* Bytes by NUMA node. */
struct huge_need {
	uint64_t bytes[RTE_MAX_NUMA_NODES];
};

/* NUMA node of a CPU; 0 where there is no such thing. */
unsigned int huge_node_of_cpu(unsigned int cpu);

/*
 * Remove the files of `instance` that a killed primary left in `directory`: they keep
 * their pages from being free. Nobody of the instance may live.
 */
void huge_clear(const char *directory, const char *instance);

/*
 * Round `need` up to pages of `directory` and compare with what is free. 0, or
 * -errno with a line logged for every node that is short.
 */
int huge_check(const char *directory, struct huge_need *need);

#endif
