/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/template_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rte_hash_crc.h>

#include <sluice/log.h>
#include <sluice/shm.h>

#include "secondary/worker.h"

SL_LOG_TYPE(template_log, "sluice.worker.template");

#define BEAT_EVERY 65536 /* templates */

static struct sl_template_file header_for(const struct worker *w)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (struct sl_template_file){
		.magic = SL_TEMPLATE_FILE_MAGIC,
		.format = SL_TEMPLATE_FILE_FORMAT,
		.seed = w->root->seed,
		.realtime_ns = now.tv_sec * UINT64_C(1000000000) + now.tv_nsec,
		.tick = w->clock.tick,
	};
}

static bool put(FILE *file, const void *data, size_t len)
{
	return fwrite(data, len, 1, file) == 1;
}

/* A template that another worker writes just now may come torn; it leads to a backend or nowhere.
 */
static bool put_templates(struct worker *w, FILE *file, struct sl_template_file *h)
{
	const struct sl_templates *t = &w->root->templates;
	uint32_t n = (t->bucket_mask + 1) * SL_TEMPLATES_IN_BUCKET;

	for (uint32_t i = 0; i < n; i++) {
		struct sl_template one = t->bucket->template[i];

		if (i % BEAT_EVERY == 0)
			worker_beat(w);
		if (!one.key || one.expires <= h->tick)
			continue;
		if (!put(file, &one, sizeof(one)))
			return false;
		h->crc = rte_hash_crc(&one, sizeof(one), h->crc);
		h->count++;
	}
	return true;
}

/* The header comes last: a file without one was not finished. */
static int write_file(struct worker *w, FILE *file, struct sl_template_file *h)
{
	struct sl_template_file none = {0};

	*h = header_for(w);
	if (!put(file, &none, sizeof(none)) || !put_templates(w, file, h))
		return -EIO;
	rewind(file);
	return put(file, h, sizeof(*h)) ? 0 : -EIO;
}

void template_file_write(struct worker *w)
{
	char path[PATH_MAX], new[PATH_MAX];
	struct sl_template_file h = {0};
	FILE *file;
	int rc;

	snprintf(new, sizeof(new), "%s/checkpoint", w->root->runtime_dir);
	mkdir(new, 0700); /* what is wrong with it, opening the file will say */
	snprintf(path, sizeof(path), "%s/%s", w->root->runtime_dir, SL_TEMPLATE_FILE_NAME);
	snprintf(new, sizeof(new), "%s/%s.new-%u", w->root->runtime_dir, SL_TEMPLATE_FILE_NAME,
		 w->id);
	file = fopen(new, "we");
	rc = file ? write_file(w, file, &h) : -errno;
	if (file && fclose(file) && !rc)
		rc = -errno;
	if (!rc && h.count && rename(new, path))
		rc = -errno;
	if (rc)
		sl_log(template_log, ERR, "worker %u: %s: %s", w->id, new, strerror(-rc));
	if (rc || !h.count)
		unlink(new);
}
