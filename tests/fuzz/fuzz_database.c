/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The database's files as bytes, after a disk or a hand has changed them. The input says which of
 * two stores is opened - one that was closed in order, or one whose logs still hold the last
 * revisions - and is then a list of edits to its files; or it is the file itself.
 *
 * Whatever is there: the store opens with one whole revision that was applied, or empty when
 * neither file can be used, or refuses a newer program's file. A second opening finds the same.
 */
#include "tests/fuzz/lib/fuzz.h"

#include <fcntl.h>
#include <rte_log.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/lib/store_bed.h"

#define REVISIONS 3
#define EDITS_MAX 8
#define FILE_MAX  (1u << 20)
#define PAGE      4096u

enum { MAIN, MAIN_LOG, COPY, COPY_LOG, N_FILES };
enum { CLOSED, OPEN, N_STORES };

static const char *const suffixes[N_FILES] = {"", "-wal", ".copy", ".copy-wal"};

struct image {
	uint8_t *bytes; /* of FILE_MAX */
	size_t len;     /* 0: there is no such file */
};

static struct image saved[N_STORES][N_FILES];
static struct image image[N_FILES]; /* what an input makes of one of them */
static char etags[REVISIONS + 1][RESOURCE_ETAG_SIZE];

/* ---- files ---- */

static const char *name_of(int file)
{
	static char name[sizeof(store_bed.path) + 16];

	snprintf(name, sizeof(name), "%s%s", store_bed.path, suffixes[file]);
	return name;
}

static void save(struct image *to)
{
	for (int f = 0; f < N_FILES; f++) {
		int fd = open(name_of(f), O_RDONLY);
		ssize_t len = 0;

		to[f].bytes = malloc(FILE_MAX);
		FUZZ_CHECK(to[f].bytes, "memory");
		if (fd >= 0)
			len = read(fd, to[f].bytes, FILE_MAX);
		FUZZ_CHECK(len >= 0 && len < FILE_MAX, "%s", name_of(f));
		to[f].len = (size_t)len;
		close(fd);
	}
}

static void restore(const struct image *from)
{
	for (int f = 0; f < N_FILES; f++) {
		memcpy(image[f].bytes, from[f].bytes, from[f].len);
		image[f].len = from[f].len;
	}
}

static void put(void)
{
	bed_remove(store_bed.directory);
	FUZZ_CHECK(!mkdir(store_bed.directory, 0700), "%s", store_bed.directory);
	for (int f = 0; f < N_FILES; f++) {
		int fd = image[f].len ? open(name_of(f), O_WRONLY | O_CREAT, 0600) : -1;

		FUZZ_CHECK(!image[f].len ||
				   write(fd, image[f].bytes, image[f].len) == (ssize_t)image[f].len,
			   "%s", name_of(f));
		if (fd >= 0)
			close(fd);
	}
}

/* ---- two stores of the same revisions ---- */

static void commit(const char *json, unsigned int revision)
{
	const struct store_revision with = {.author = "fuzz",
					    .source = "here",
					    .method = "ApplyConfig",
					    .resource = "config",
					    .comment = "a comment"};

	FUZZ_CHECK(!store_bed_commit(json, &with), "%s", store_bed.why.text);
	FUZZ_CHECK(store_bed.model->revision == revision, "revision");
	model_etag(store_bed.model, etags[revision]);
}

static void clean_up(void)
{
	store_bed_tear_down(NULL);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	rte_log_set_global_level(RTE_LOG_EMERG);
	FUZZ_CHECK(!store_bed_set_up(NULL), "a directory");
	atexit(clean_up);
	store_bed_open();
	FUZZ_CHECK(store_bed.store, "%s", store_bed.why.text);
	model_etag(store_bed.model, etags[0]);
	commit("{'interfaces': [{'name': 'lan', 'addresses': ['198.51.100.1/24']}]}", 1);
	commit(bed_good, 2);
	commit("{'interfaces': [{'name': 'lan', 'addresses': ['198.51.100.2/24']}]}", 3);
	save(saved[OPEN]);
	store_bed_close();
	save(saved[CLOSED]);
	save(image);
	return 0;
}

/* ---- edits ---- */

enum edit {
	EDIT_BYTES,
	EDIT_BIT,
	EDIT_CUT,
	EDIT_GROW,
	EDIT_PAGE,
	EDIT_ZERO,
	EDIT_REMOVE,
	EDIT_MAX
};

static void write_bytes(struct image *file, size_t at, struct fuzz_input *in)
{
	size_t len;
	const uint8_t *bytes = fuzz_bytes(in, fuzz_u8(in), &len);

	if (len > file->len - at)
		len = file->len - at;
	memcpy(file->bytes + at, bytes, len);
}

/* A page takes another's place, as a write that went astray leaves it. */
static void move_page(struct image *file, size_t at, size_t from)
{
	size_t to = at / PAGE * PAGE;

	from = from * PAGE % file->len / PAGE * PAGE;
	if (to + PAGE <= file->len && from + PAGE <= file->len)
		memmove(file->bytes + to, file->bytes + from, PAGE);
}

static void edit(struct fuzz_input *in)
{
	enum edit what = fuzz_u8(in) % EDIT_MAX;
	struct image *file = &image[fuzz_u8(in) % N_FILES];
	size_t at = fuzz_u16(in) << 8;

	at |= fuzz_u8(in);
	if (!file->len)
		return;
	at %= file->len;
	switch (what) {
	case EDIT_BYTES: write_bytes(file, at, in); break;
	case EDIT_BIT: file->bytes[at] ^= (uint8_t)(1 << fuzz_u8(in) % 8); break;
	case EDIT_CUT: file->len = at; break;
	case EDIT_GROW:
		memset(file->bytes + file->len, fuzz_u8(in), PAGE);
		file->len += file->len + EDITS_MAX * PAGE < FILE_MAX ? PAGE : 0;
		break;
	case EDIT_PAGE: move_page(file, at, fuzz_u8(in)); break;
	case EDIT_ZERO:
		memset(file->bytes + at, 0, file->len - at < 512 ? file->len - at : 512);
		break;
	default: file->len = 0; break;
	}
}

/* ---- what must hold ---- */

static bool is_applied(void)
{
	char etag[RESOURCE_ETAG_SIZE];

	model_etag(store_bed.model, etag);
	for (int r = 0; r <= REVISIONS; r++)
		if (!strcmp(etag, etags[r]))
			return true;
	return false;
}

static bool is_newer(void)
{
	return store_bed.why.code == PROBLEM_FAILED_PRECONDITION;
}

static void check(bool whole_file)
{
	char etag[RESOURCE_ETAG_SIZE], again[RESOURCE_ETAG_SIZE];

	store_bed_open();
	if (!store_bed.store) {
		FUZZ_CHECK(is_newer(), "refused: %s", store_bed.why.text);
		return;
	}
	FUZZ_CHECK(whole_file || is_applied(), "revision %llu was never applied",
		   (unsigned long long)store_bed.model->revision);
	model_etag(store_bed.model, etag);
	store_bed_close();
	store_bed_open();
	FUZZ_CHECK(store_bed.store, "refused at the second opening: %s", store_bed.why.text);
	FUZZ_CHECK(!store_set_aside(store_bed.store), "set aside at the second opening");
	FUZZ_CHECK(!strcmp(model_etag(store_bed.model, again), etag), "%s, then %s", etag, again);
	store_bed_close();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = {data, len};
	uint8_t which = fuzz_u8(&in) % (N_STORES + 1);

	if (which < N_STORES) {
		restore(saved[which]);
		for (int n = 0; in.left && n < EDITS_MAX; n++)
			edit(&in);
	} else {
		for (int f = 0; f < N_FILES; f++)
			image[f].len = 0;
		memcpy(image[MAIN].bytes, in.at, in.left);
		image[MAIN].len = in.left;
	}
	put();
	check(which >= N_STORES);
	return 0;
}
