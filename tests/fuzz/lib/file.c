/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fuzz/lib/fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

static struct {
	int fd;
	char path[32];
} files[2] = {{.fd = -1}, {.fd = -1}};

const char *fuzz_file(unsigned int which)
{
	if (files[which].fd < 0) {
		files[which].fd = memfd_create("fuzz", MFD_CLOEXEC);
		FUZZ_CHECK(files[which].fd >= 0, "a file in memory");
		snprintf(files[which].path, sizeof(files[which].path), "/proc/self/fd/%d",
			 files[which].fd);
	}
	return files[which].path;
}

void fuzz_file_set(unsigned int which, const void *data, size_t len)
{
	fuzz_file(which);
	FUZZ_CHECK(!ftruncate(files[which].fd, 0), "truncate");
	FUZZ_CHECK(!len || pwrite(files[which].fd, data, len, 0) == (ssize_t)len, "write");
}
