/* SPDX-License-Identifier: BSD-3-Clause */
#include "primary/templates.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rte_hash_crc.h>

#include <sluice/conn.h>
#include <sluice/log.h>
#include <sluice/shm.h>

SL_LOG_TYPE(templates_log, "sluice.primary.templates");

#define TICK_NS (UINT64_C(1000000000) / SL_TICK_HZ)

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

/* An empty place, or that of the template which would expire first; NULL: all last longer. */
static struct sl_template *place_for(const struct sl_templates *t, const struct sl_template *new)
{
	struct sl_template_bucket *b = sl_template_bucket(t, new->key);
	struct sl_template *at = &b->template[0];

	for (unsigned int i = 1; i < SL_TEMPLATES_IN_BUCKET; i++)
		if (b->template[i].expires < at->expires)
			at = &b->template[i];
	return at->expires < new->expires ? at : NULL;
}

/* Times are carried by the wall clock, since the monotonic one may have begun anew. */
static uint32_t take_up(struct sl_root *root, const struct sl_template_file *h,
			const struct sl_template *list)
{
	uint64_t now = now_ns(CLOCK_REALTIME);
	uint64_t gone = now > h->realtime_ns ? (now - h->realtime_ns) / TICK_NS : 0;
	uint32_t tick = (uint32_t)(now_ns(CLOCK_MONOTONIC) / TICK_NS) + 1, taken = 0;

	for (uint32_t i = 0; i < h->count; i++) {
		struct sl_template one = list[i], *at;

		if (!one.key || one.expires <= h->tick || one.expires - h->tick <= gone)
			continue;
		one.expires = tick + one.expires - h->tick - (uint32_t)gone;
		at = place_for(&root->templates, &one);
		if (!at)
			continue;
		taken += !at->key;
		*at = one;
	}
	return taken;
}

/* The templates of the file, to be freed; NULL with *why. */
static struct sl_template *read_file(FILE *file, const struct sl_root *root,
				     struct sl_template_file *h, const char **why)
{
	struct sl_template *list;
	struct stat st;

	*why = "it is not a finished file of templates";
	if (fread(h, sizeof(*h), 1, file) != 1 || h->magic != SL_TEMPLATE_FILE_MAGIC ||
	    h->format != SL_TEMPLATE_FILE_FORMAT)
		return NULL;
	*why = "clients are other keys now: the seed differs";
	if (h->seed != root->seed)
		return NULL;
	*why = "it is damaged";
	if (fstat(fileno(file), &st) || h->count == 0 ||
	    (uint64_t)st.st_size != sizeof(*h) + h->count * (uint64_t)sizeof(*list))
		return NULL;
	list = aligned_alloc(sizeof(*list), h->count * sizeof(*list));
	if (list && fread(list, sizeof(*list), h->count, file) == h->count &&
	    rte_hash_crc(list, h->count * (uint32_t)sizeof(*list), 0) == h->crc)
		return list;
	free(list);
	return NULL;
}

void templates_load(struct sl_root *root)
{
	char path[PATH_MAX], aside[PATH_MAX];
	struct sl_template_file h;
	struct sl_template *list;
	const char *why;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", root->runtime_dir, SL_TEMPLATE_FILE_NAME);
	file = fopen(path, "re");
	if (!file)
		return;
	list = read_file(file, root, &h, &why);
	fclose(file);
	if (list) {
		sl_log(templates_log, INFO, "%u of %u templates taken up", take_up(root, &h, list),
		       h.count);
		free(list);
		unlink(path);
		return;
	}
	snprintf(aside, sizeof(aside), "%s/%s.refused", root->runtime_dir, SL_TEMPLATE_FILE_NAME);
	sl_log(templates_log, ERR, "%s refused: %s; set aside as %s", path, why, aside);
	if (rename(path, aside))
		unlink(path);
}
