/* SPDX-License-Identifier: BSD-3-Clause */
#include "primary/deal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rte_byteorder.h>

#include <sluice/checkpoint.h>
#include <sluice/log.h>
#include <sluice/owner.h>
#include <sluice/snapshot.h>

SL_LOG_TYPE(deal_log, "sluice.primary.deal");

/* A file that a worker wrote, or that one will read. */
struct deal_file {
	FILE *file; /* NULL: there is none, or it can't be used */
	struct sl_checkpoint h;
};

struct deal {
	char from[160], to[160]; /* directories */
	unsigned int n_workers;
	uint64_t seed;
	uint64_t realtime_ns;
	bool refused[SL_MAX_WORKERS]; /* a file is there that can't be used */
	struct deal_file in[SL_MAX_WORKERS], out[SL_MAX_WORKERS];
};

static void remove_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(path);
}

/* ---- what there is ------------------------------------------------------------------ */

static const char *check_entries(FILE *file, const struct sl_checkpoint *h)
{
	char block[1 << 16];
	uint32_t crc = 0;
	size_t n;

	/* a block's length is a multiple of the words that the checksum is made of */
	while ((n = fread(block, 1, sizeof(block), file)))
		crc = rte_hash_crc(block, (uint32_t)n, crc);
	if (ferror(file) || crc != h->entries_crc)
		return "its entries are damaged";
	return fseek(file, sizeof(*h), SEEK_SET) ? "it cannot be read" : NULL;
}

static const char *check(struct deal_file *f, uint64_t seed)
{
	const char *why;
	struct stat st;

	if (fstat(fileno(f->file), &st))
		return strerror(errno);
	if (fread(&f->h, sizeof(f->h), 1, f->file) != 1)
		return "it is not a finished checkpoint";
	why = sl_checkpoint_refused(&f->h, (uint64_t)st.st_size, seed);
	return why ? why : check_entries(f->file, &f->h);
}

static void open_in(struct deal *d, unsigned int worker)
{
	struct deal_file *f = &d->in[worker];
	char path[PATH_MAX];
	const char *why;

	sl_checkpoint_path(path, d->from, worker, "");
	f->file = fopen(path, "re");
	why = f->file ? check(f, d->seed) : NULL;
	if (!why)
		return;
	sl_log(deal_log, ERR, "%s refused: %s", path, why);
	fclose(f->file);
	f->file = NULL;
	d->refused[worker] = true;
}

/* Whether any header says that it is of another number of workers. */
static bool needed(const struct deal *d)
{
	for (unsigned int i = 0; i < SL_MAX_WORKERS; i++) {
		struct sl_checkpoint h = {0};
		char path[PATH_MAX];
		FILE *file;

		sl_checkpoint_path(path, d->from, i, "");
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fread(&h, sizeof(h), 1, file) != 1)
			h.n_workers = d->n_workers; /* its worker says what is wrong with it */
		fclose(file);
		if (h.n_workers != d->n_workers || i >= d->n_workers)
			return true;
	}
	return false;
}

/* ---- dealing ------------------------------------------------------------------------- */

static int put(struct deal *d, unsigned int worker, const union sl_conn_entry *e,
	       unsigned int family)
{
	struct deal_file *f = &d->out[worker];
	uint32_t size = f->h.entry_size[family];

	f->h.entries_crc = rte_hash_crc(e, size, f->h.entries_crc);
	f->h.count[family]++;
	return fwrite(e, size, 1, f->file) == 1 ? 0 : -EIO;
}

/* Times become those of the new files, whose tick is 0. */
static void shift_times(const struct deal *d, const struct sl_checkpoint *from,
			struct sl_conn_core *core)
{
	uint64_t gone = d->realtime_ns > from->realtime_ns ? d->realtime_ns - from->realtime_ns : 0;
	uint32_t now = from->tick + (uint32_t)(gone / SL_CHECKPOINT_TICK_NS);

	core->last_seen -= now;
	core->opened -= now;
}

static int deal_entry(struct deal *d, const struct sl_checkpoint *from, union sl_conn_entry *e,
		      unsigned int family)
{
	struct sl_conn_core *core = family ? &e->v6.core : &e->v4.core;
	uint16_t port = family ? e->v6.key[SL_DIR_OUT].dport : e->v4.key[SL_DIR_OUT].dport;
	unsigned int local = sl_owner_local_port(rte_be_to_cpu_16(port), d->n_workers);
	unsigned int client = family ? sl_owner_conn6(&e->v6, d->seed, d->n_workers)
				     : sl_owner_conn(&e->v4, d->seed, d->n_workers);
	bool moved = sl_conn_has_local_port(core) && local != client;
	int rc;

	if (core->flags & SL_CONN_F_STUB)
		return 0; /* its connection is in another file, and says whether it needs one */
	shift_times(d, from, core);
	core->flags &= (uint8_t)~SL_CONN_F_MOVED;
	core->flags |= moved ? SL_CONN_F_MOVED : 0;
	rc = put(d, client, e, family);
	if (rc || !moved)
		return rc;
	core->flags ^= SL_CONN_F_MOVED | SL_CONN_F_STUB;
	core->state = SL_CONN_NONE;
	return put(d, local, e, family);
}

static int deal_family(struct deal *d, unsigned int family)
{
	union sl_conn_entry e;
	int rc = 0;

	for (unsigned int i = 0; i < SL_MAX_WORKERS && !rc; i++) {
		const struct deal_file *in = &d->in[i];

		for (uint32_t n = in->file ? in->h.count[family] : 0; n && !rc; n--) {
			if (fread(&e, in->h.entry_size[family], 1, in->file) != 1)
				return -EIO;
			rc = deal_entry(d, &in->h, &e, family);
		}
	}
	return rc;
}

static int open_out(struct deal *d, unsigned int worker)
{
	struct deal_file *f = &d->out[worker];
	struct sl_checkpoint none = {0};
	char path[PATH_MAX];

	f->h = sl_checkpoint_of(worker, d->n_workers, d->seed);
	f->h.realtime_ns = d->realtime_ns;
	sl_checkpoint_path(path, d->to, worker, "");
	f->file = fopen(path, "wxe");
	if (!f->file)
		return -errno;
	return fwrite(&none, sizeof(none), 1, f->file) == 1 ? 0 : -EIO;
}

static int finish_out(struct deal_file *f)
{
	f->h.header_crc = sl_checkpoint_header_crc(&f->h);
	rewind(f->file);
	return fwrite(&f->h, sizeof(f->h), 1, f->file) == 1 && !fflush(f->file) ? 0 : -EIO;
}

static int write_all(struct deal *d)
{
	int rc = 0;

	for (unsigned int i = 0; i < d->n_workers && !rc; i++)
		rc = open_out(d, i);
	for (unsigned int family = 0; family < 2 && !rc; family++)
		rc = deal_family(d, family);
	for (unsigned int i = 0; i < d->n_workers && !rc; i++)
		rc = finish_out(&d->out[i]);
	return rc;
}

/* What was refused, now or before, stays for a person to look at. The old files are in `to` now. */
static void keep_refused(const struct deal *d)
{
	char from[PATH_MAX], to[PATH_MAX];

	for (unsigned int i = 0; i < SL_MAX_WORKERS; i++) {
		sl_checkpoint_path(to, d->from, i, ".refused");
		sl_checkpoint_path(from, d->to, i, ".refused");
		rename(from, to);
		sl_checkpoint_path(from, d->to, i, "");
		if (d->refused[i])
			rename(from, to);
	}
}

static int deal(struct deal *d)
{
	int rc = mkdir(d->to, 0700) ? -errno : 0;

	for (unsigned int i = 0; i < SL_MAX_WORKERS && !rc; i++)
		open_in(d, i);
	if (!rc)
		rc = write_all(d);
	if (!rc && renameat2(AT_FDCWD, d->to, AT_FDCWD, d->from, RENAME_EXCHANGE))
		rc = -errno;
	if (!rc)
		keep_refused(d);
	for (unsigned int i = 0; i < SL_MAX_WORKERS; i++) {
		if (d->in[i].file)
			fclose(d->in[i].file);
		if (d->out[i].file)
			fclose(d->out[i].file);
	}
	return rc;
}

static unsigned int total(const struct deal_file *f)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < SL_MAX_WORKERS; i++)
		n += f[i].h.count[0] + f[i].h.count[1];
	return n;
}

void deal_checkpoints(const char *runtime_dir, unsigned int n_workers, uint64_t seed)
{
	struct deal d = {.n_workers = n_workers, .seed = seed};
	struct timespec now;
	int rc;

	snprintf(d.from, sizeof(d.from), "%s/checkpoint", runtime_dir);
	snprintf(d.to, sizeof(d.to), "%s/checkpoint.new", runtime_dir);
	remove_directory(d.to);
	if (!needed(&d))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	d.realtime_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	rc = deal(&d);
	remove_directory(d.to);
	if (rc)
		sl_log(deal_log, ERR, "%s: cannot be dealt out to %u workers: %s", d.from,
		       n_workers, strerror(-rc));
	else
		sl_log(deal_log, INFO, "%u connections and stubs dealt out as %u to %u workers",
		       total(d.in), total(d.out), n_workers);
}
