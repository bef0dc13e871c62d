/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sluice/checkpoint.h>
#include <sluice/log.h>
#include <sluice/shm.h>

#include "secondary/checkpoint_check.h"
#include "secondary/worker.h"

SL_LOG_TYPE(checkpoint_log, "sluice.worker.checkpoint");

#define BEAT_EVERY 65536 /* entries */

/* In the file's order. */
static struct conn_table *table(struct worker *w, unsigned int family)
{
	return family ? &w->conns6 : &w->conns;
}

static uint64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

static void path_of(const struct worker *w, char path[PATH_MAX], const char *suffix)
{
	char directory[sizeof(w->root->runtime_dir) + sizeof("/checkpoint")];

	snprintf(directory, sizeof(directory), "%s/checkpoint", w->root->runtime_dir);
	sl_checkpoint_path(path, directory, w->id, suffix);
}

/* ---- writing ----------------------------------------------------------------------- */

static struct sl_checkpoint header_for(const struct worker *w)
{
	return sl_checkpoint_of(w->id, w->n_workers, w->root->seed);
}

static int put(FILE *file, const void *data, size_t len)
{
	return fwrite(data, len, 1, file) == 1 ? 0 : -EIO;
}

static void *entry_of(const struct conn_table *t, uint32_t i)
{
	return (char *)t->entry + ((uint64_t)i << t->entry_shift);
}

static int write_entries(struct worker *w, FILE *file, struct sl_checkpoint *h, unsigned int family)
{
	const struct conn_table *t = table(w, family);
	uint32_t size = h->entry_size[family];
	int rc = 0;

	for (uint32_t i = 0; i < t->shared->capacity && !rc; i++) {
		if (i % BEAT_EVERY == 0)
			worker_beat(w);
		if (!t->check[i])
			continue;
		rc = put(file, entry_of(t, i), size);
		h->entries_crc = rte_hash_crc(entry_of(t, i), size, h->entries_crc);
		h->count[family]++;
	}
	return rc;
}

/* The header comes last: a file without one was not finished. */
static int write_file(struct worker *w, FILE *file)
{
	struct sl_checkpoint h = {0};
	int rc = put(file, &h, sizeof(h));

	h = header_for(w);
	h.realtime_ns = realtime_ns();
	h.tick = w->clock.tick;
	for (unsigned int family = 0; family < 2 && !rc; family++)
		rc = write_entries(w, file, &h, family);
	h.header_crc = sl_checkpoint_header_crc(&h);
	rewind(file);
	if (!rc)
		rc = put(file, &h, sizeof(h));
	if (!rc)
		sl_log(checkpoint_log, INFO, "worker %u: %u connections written", w->id,
		       h.count[0] + h.count[1]);
	return rc;
}

int checkpoint_write(struct worker *w)
{
	char path[PATH_MAX], new[PATH_MAX];
	FILE *file;
	int rc;

	if (!w->slot->worker.checkpoint_read)
		return 0; /* there may be one that waits to be taken up */
	snprintf(new, sizeof(new), "%s/checkpoint", w->root->runtime_dir);
	mkdir(new, 0700); /* what is wrong with it, opening the file will say */
	path_of(w, path, "");
	path_of(w, new, ".new");
	file = fopen(new, "we");
	rc = file ? write_file(w, file) : -errno;
	if (file && fclose(file) && !rc)
		rc = -errno;
	if (!rc && rename(new, path))
		rc = -errno;
	if (rc) {
		sl_log(checkpoint_log, ERR, "worker %u: %s: %s", w->id, new, strerror(-rc));
		unlink(new);
	}
	return rc;
}

/* ---- reading ----------------------------------------------------------------------- */

/* Why the file can't be used; NULL when it can. */
static const char *refused(const struct worker *w, const struct sl_checkpoint *h, uint64_t size)
{
	const char *why = sl_checkpoint_refused(h, size, w->root->seed);

	if (!why && (h->n_workers != w->n_workers || h->worker != w->id))
		why = "it is of another number of workers"; /* and could not be dealt out anew */
	return why;
}

/*
 * Entries go where they will stay; none exists yet. Those that do not fit into a smaller table are
 * read for their checksum only.
 */
static bool read_entries(struct worker *w, FILE *file, const struct sl_checkpoint *h,
			 unsigned int family, uint32_t *crc)
{
	const struct conn_table *t = table(w, family);
	uint32_t size = h->entry_size[family];
	union sl_conn_entry e;

	for (uint32_t i = 0; i < h->count[family]; i++) {
		if (i % BEAT_EVERY == 0)
			worker_beat(w);
		if (fread(&e, size, 1, file) != 1)
			return false;
		*crc = rte_hash_crc(&e, size, *crc);
		if (i < t->shared->capacity)
			memcpy(entry_of(t, i), &e, size);
	}
	return true;
}

static bool read_all(struct worker *w, FILE *file, const struct sl_checkpoint *h)
{
	uint32_t crc = 0;

	return read_entries(w, file, h, 0, &crc) && read_entries(w, file, h, 1, &crc) &&
	       crc == h->entries_crc;
}

static uint32_t take_up_table(struct worker *w, const struct checkpoint_known *k,
			      const struct sl_checkpoint *h, unsigned int family)
{
	uint64_t now = realtime_ns();
	uint32_t gone = now > h->realtime_ns
				? (uint32_t)((now - h->realtime_ns) / SL_CHECKPOINT_TICK_NS)
				: 0;
	struct conn_table *t = table(w, family);
	uint32_t count = RTE_MIN(h->count[family], t->shared->capacity), taken = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct sl_conn_core *e = conn_core(t, i);

		if (i % BEAT_EVERY == 0)
			worker_beat(w);
		if (checkpoint_fits(w, k, t, i))
			taken += conn_restore(w, t, i, h->tick - e->last_seen + gone,
					      h->tick - e->opened + gone);
	}
	return taken;
}

static uint32_t take_up(struct worker *w, const struct checkpoint_known *k,
			const struct sl_checkpoint *h)
{
	uint32_t taken = take_up_table(w, k, h, 0) + take_up_table(w, k, h, 1);

	conn_rebuild(w);
	return taken;
}

/* NULL when it was taken up, else why not. */
static const char *import(struct worker *w, FILE *file)
{
	struct checkpoint_known known = {0};
	const char *why = NULL;
	struct sl_checkpoint h = {0};
	struct stat st;

	if (fstat(fileno(file), &st))
		return strerror(errno);
	if (st.st_size >= (off_t)sizeof(h) && fread(&h, sizeof(h), 1, file) != 1)
		return "it cannot be read";
	why = refused(w, &h, (uint64_t)st.st_size);
	if (!why && checkpoint_known_fill(w, &known))
		why = "memory is short";
	if (!why && !read_all(w, file, &h))
		why = "its entries are damaged";
	if (!why)
		sl_log(checkpoint_log, INFO, "worker %u: %u of %u connections taken up", w->id,
		       take_up(w, &known, &h), h.count[0] + h.count[1]);
	checkpoint_known_free(&known);
	return why;
}

void checkpoint_read(struct worker *w)
{
	char path[PATH_MAX], aside[PATH_MAX];
	const char *why;
	FILE *file;

	if (w->slot->worker.checkpoint_read)
		return;
	w->slot->worker.checkpoint_read = 1; /* whoever dies over it has taken up what exists */
	path_of(w, path, "");
	file = fopen(path, "re");
	if (!file)
		return;
	why = import(w, file);
	fclose(file);
	if (!why) {
		unlink(path);
		return;
	}
	path_of(w, aside, ".refused");
	sl_log(checkpoint_log, ERR, "worker %u: %s refused: %s; set aside as %s", w->id, path, why,
	       aside);
	if (rename(path, aside))
		unlink(path);
}
