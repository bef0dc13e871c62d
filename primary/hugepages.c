/* SPDX-License-Identifier: BSD-3-Clause */
#include "primary/hugepages.h"

#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <numa.h>

#include <sluice/log.h>

SL_LOG_TYPE(huge_log, "sluice.primary.hugepages");

unsigned int huge_node_of_cpu(unsigned int cpu)
{
	int node = numa_available() < 0 ? 0 : numa_node_of_cpu(cpu);

	return node < 0 || node >= RTE_MAX_NUMA_NODES ? 0 : node;
}

/* Where the kernel counts a node's pages; a kernel without NUMA has one place for all. */
static void pool_path(char *path, size_t len, unsigned int node, uint64_t page)
{
	snprintf(path, len, "/sys/devices/system/node/node%u/hugepages/hugepages-%" PRIu64 "kB",
		 node, page >> 10);
	if (access(path, F_OK))
		snprintf(path, len, "/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB", page >> 10);
}

static int read_count(const char *pool, const char *name, uint64_t *count)
{
	char path[PATH_MAX];
	FILE *file;
	int n;

	snprintf(path, sizeof(path), "%s/%s", pool, name);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	n = fscanf(file, "%" SCNu64, count);
	fclose(file);
	return n == 1 ? 0 : -EINVAL;
}

static int check_node(unsigned int node, uint64_t bytes, uint64_t page)
{
	char pool[128];
	uint64_t pages = bytes / page, free, total;

	pool_path(pool, sizeof(pool), node, page);
	if (read_count(pool, "free_hugepages", &free) || read_count(pool, "nr_hugepages", &total)) {
		sl_log(huge_log, ERR, "hugepages: %s does not tell how many there are", pool);
		return -ENOENT;
	}
	if (free >= pages)
		return 0;
	sl_log(huge_log, ERR,
	       "hugepages: node %u needs %" PRIu64 " of %" PRIu64 " KiB, %" PRIu64
	       " are free; reserve them with: echo %" PRIu64 " > %s/nr_hugepages",
	       node, pages, page >> 10, free, total + pages - free, pool);
	return -ENOMEM;
}

void huge_clear(const char *directory, const char *instance)
{
	char pattern[PATH_MAX];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/%smap_*", directory, instance); /* EAL's names */
	if (glob(pattern, GLOB_NOSORT, NULL, &found))
		return; /* none, or what is wrong with the directory huge_check() will say */
	for (size_t i = 0; i < found.gl_pathc; i++)
		unlink(found.gl_pathv[i]);
	sl_log(huge_log, NOTICE, "hugepages: freed %zu pages of a former primary", found.gl_pathc);
	globfree(&found);
}

int huge_check(const char *directory, struct huge_need *need)
{
	struct statfs fs;
	int rc = 0;

	if (statfs(directory, &fs)) {
		rc = -errno;
		sl_log(huge_log, ERR, "hugepages: directory %s: %s", directory, strerror(-rc));
		return rc;
	}
	if (fs.f_type != HUGETLBFS_MAGIC) {
		sl_log(huge_log, ERR,
		       "hugepages: directory %s is not a hugetlbfs; mount one with: "
		       "mount -t hugetlbfs nodev %s",
		       directory, directory);
		return -EINVAL;
	}
	for (unsigned int node = 0; node < RTE_MAX_NUMA_NODES; node++) {
		uint64_t page = fs.f_bsize, *bytes = &need->bytes[node];
		int short_of;

		if (!*bytes)
			continue;
		*bytes = (*bytes + page - 1) / page * page;
		short_of = check_node(node, *bytes, page);
		if (short_of)
			rc = short_of;
	}
	return rc;
}
