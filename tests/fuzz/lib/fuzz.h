/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the fuzz targets share. A target is one file fuzz_NAME.c with LLVMFuzzerTestOneInput();
 * tests/fuzz/run finds it by its name, with its corpus and, when there is one, NAME.dict.
 *
 * A target aborts on what must not be, not only on what the sanitizers see: FUZZ_CHECK. It leaves
 * nothing behind from one input to the next, so that a finding repeats from its file alone.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define FUZZ_CHECK(condition, ...)                                                       \
	do {                                                                             \
		if (!(condition)) {                                                      \
			fprintf(stderr, "%s:%d: %s does not hold: ", __FILE__, __LINE__, \
				#condition);                                             \
			fprintf(stderr, __VA_ARGS__);                                    \
			fputc('\n', stderr);                                             \
			abort();                                                         \
		}                                                                        \
	} while (0)

/* An input that is read from its front; at its end there are zeros. */
struct fuzz_input {
	const uint8_t *at;
	size_t left;
};

static inline void fuzz_copy(struct fuzz_input *in, void *to, size_t len)
{
	size_t n = len < in->left ? len : in->left;

	memset(to, 0, len);
	if (n)
		memcpy(to, in->at, n);
	in->at += n;
	in->left -= n;
}

static inline uint8_t fuzz_u8(struct fuzz_input *in)
{
	uint8_t value;

	fuzz_copy(in, &value, sizeof(value));
	return value;
}

static inline uint16_t fuzz_u16(struct fuzz_input *in)
{
	uint16_t value;

	fuzz_copy(in, &value, sizeof(value));
	return value;
}

/* The next bytes where they stand, at most `len` of them. */
static inline const uint8_t *fuzz_bytes(struct fuzz_input *in, size_t len, size_t *got)
{
	const uint8_t *at = in->at;

	*got = len < in->left ? len : in->left;
	in->at += *got;
	in->left -= *got;
	return at;
}

/* ---- lib/file.c: files in memory, for what reads a path ---- */

/* Path of file 0 or 1, made at first use. */
const char *fuzz_file(unsigned int which);
/* Its content from now on. */
void fuzz_file_set(unsigned int which, const void *data, size_t len);

#endif
