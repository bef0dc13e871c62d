/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files of connections that outlive all processes: <runtime directory>/checkpoint/worker-N, written
 * and taken up by workers (secondary/checkpoint.h), dealt out anew by the primary when their
 * number changed (primary/deal.h). A header, then struct sl_conn and struct sl_conn6 as they are in
 * memory. The header is written last: a file without one was not finished.
 */
#ifndef SL_CHECKPOINT_H
#define SL_CHECKPOINT_H

#include <assert.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <rte_hash_crc.h>

#include <sluice/conn.h>

#define SL_CHECKPOINT_MAGIC   UINT64_C(0x534c55494345434b) /* "SLUICECK" */
#define SL_CHECKPOINT_FORMAT  4 /* of the header, and of what struct sl_conn means; not the ABI */
#define SL_CHECKPOINT_TICK_NS (UINT64_C(1000000000) / SL_TICK_HZ)

struct sl_checkpoint {
	uint64_t magic;
	uint32_t format;
	uint32_t n_workers;
	uint32_t worker;
	uint32_t tick;        /* when it was written, in the entries' time */
	uint64_t realtime_ns; /* likewise */
	uint64_t seed;
	uint32_t entry_size[2]; /* IPv4, IPv6 */
	uint32_t count[2];      /* entries that follow: IPv4's, then IPv6's */
	uint32_t entries_crc;   /* CRC32C */
	uint32_t header_crc;    /* of all before it */
};
static_assert(sizeof(struct sl_checkpoint) == 64, "no padding is written");

static inline struct sl_checkpoint sl_checkpoint_of(unsigned int worker, unsigned int n_workers,
						    uint64_t seed)
{
	return (struct sl_checkpoint){
		.magic = SL_CHECKPOINT_MAGIC,
		.format = SL_CHECKPOINT_FORMAT,
		.entry_size = {sizeof(struct sl_conn), sizeof(struct sl_conn6)},
		.n_workers = n_workers,
		.worker = worker,
		.seed = seed,
	};
}

static inline uint32_t sl_checkpoint_header_crc(const struct sl_checkpoint *h)
{
	return rte_hash_crc(h, offsetof(struct sl_checkpoint, header_crc), 0);
}

/* Why this program can't use a file of so many bytes, whoever wrote it; NULL when it can. */
static inline const char *sl_checkpoint_refused(const struct sl_checkpoint *h, uint64_t size,
						uint64_t seed)
{
	if (size < sizeof(*h) || h->magic != SL_CHECKPOINT_MAGIC)
		return "it is not a finished checkpoint";
	if (h->header_crc != sl_checkpoint_header_crc(h))
		return "its header is damaged";
	if (h->format != SL_CHECKPOINT_FORMAT || h->entry_size[0] != sizeof(struct sl_conn) ||
	    h->entry_size[1] != sizeof(struct sl_conn6))
		return "it is of another version's format";
	if (h->seed != seed)
		return "flows belong to other workers now: the seed differs";
	if (size - sizeof(*h) !=
	    (uint64_t)h->count[0] * h->entry_size[0] + (uint64_t)h->count[1] * h->entry_size[1])
		return "it is cut";
	return NULL;
}

static inline void sl_checkpoint_path(char path[PATH_MAX], const char *directory,
				      unsigned int worker, const char *suffix)
{
	snprintf(path, PATH_MAX, "%s/worker-%u%s", directory, worker, suffix);
}

#endif
