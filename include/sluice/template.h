/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Templates of persistence: to which backend a client's (or a network of clients') next connection
 * to a virtual server goes. Clients' ports, and so their owners, change from one connection to the
 * next, so there is one table for all workers.
 *
 * Here alone a word has many writers. A template is written whole by one 16-byte
 * compare-and-swap, so at any instant there is the old one or the new one and never a mixture,
 * whoever dies where; what a dead worker wrote last is a template like any other, and expires like
 * any other. There is nothing to repair, and nothing that a dead process could keep.
 *
 * A bucket is a cache line of four, and a client has one bucket: what finds it full takes the place
 * of the template that would expire first.
 *
 * A keyed hash of 64 bits stands for virtual server and client. That any two of n clients have
 * the same is n^2 / 2^65 likely, 2^-33 for 65536; they would share a backend, nothing worse.
 */
#ifndef SL_TEMPLATE_H
#define SL_TEMPLATE_H

#include <assert.h>
#include <stdint.h>

#include <sluice/addr.h>

struct sl_template {
	uint64_t key;     /* sl_template_key(); 0: the place is empty */
	uint32_t backend; /* reference */
	uint32_t expires; /* tick */
} __attribute__((aligned(16)));

#define SL_TEMPLATES_IN_BUCKET 4

struct sl_template_bucket {
	struct sl_template template[SL_TEMPLATES_IN_BUCKET];
} __attribute__((aligned(64)));
static_assert(sizeof(struct sl_template_bucket) == 64, "one cache line");

/* Writer: primary, at creation; of the templates: every worker. */
struct sl_templates {
	struct sl_template_bucket *bucket;
	uint32_t bucket_mask; /* buckets - 1 */
};

static inline uint64_t sl_template_mix(uint64_t a, uint64_t b)
{
	__uint128_t x = (__uint128_t)a * b;

	return (uint64_t)x ^ (uint64_t)(x >> 64);
}

/*
 * Of a client's address under the virtual server's mask: two rounds of folded products (as wyhash's
 * mum), keyed by the root's seed, so that nobody outside can make clients meet.
 */
static inline uint64_t sl_template_key(uint64_t seed, uint32_t virtual_server,
				       const struct sl_addr *client, const struct sl_addr *mask)
{
	uint64_t high = (uint64_t)(client->w[1] & mask->w[1]) << 32 | (client->w[0] & mask->w[0]);
	uint64_t low = (uint64_t)(client->w[3] & mask->w[3]) << 32 | (client->w[2] & mask->w[2]);
	uint64_t x = sl_template_mix(high ^ seed, low ^ seed * UINT64_C(0xbf58476d1ce4e5b9));

	x = sl_template_mix(x ^ seed * UINT64_C(0x94d049bb133111eb),
			    virtual_server ^ seed * UINT64_C(0xd6e8feb86659fd93));
	return x ? x : 1;
}

static inline struct sl_template_bucket *sl_template_bucket(const struct sl_templates *t,
							    uint64_t key)
{
	return &t->bucket[(uint32_t)key & t->bucket_mask];
}

/*
 * <runtime directory>/checkpoint/templates: the table across a full restart. Each worker that ends
 * for good writes it whole and renames it into place, so the last one's stands; the next primary
 * reads it before any worker runs. This header, then `count` templates.
 */
struct sl_template_file {
	uint64_t magic;
	uint32_t format;
	uint32_t count;
	uint64_t seed;        /* with which the keys were made */
	uint64_t realtime_ns; /* when it was written */
	uint32_t tick;        /* likewise, in the templates' time */
	uint32_t crc;         /* CRC32C of the templates */
};
static_assert(sizeof(struct sl_template_file) == 40, "no padding is written");

#define SL_TEMPLATE_FILE_MAGIC  UINT64_C(0x534c55494345544d) /* "SLUICETM" */
#define SL_TEMPLATE_FILE_FORMAT 1
#define SL_TEMPLATE_FILE_NAME   "checkpoint/templates"

#endif
