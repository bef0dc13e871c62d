/* SPDX-License-Identifier: BSD-3-Clause */
#include "primary/seed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <sluice/log.h>

SL_LOG_TYPE(seed_log, "sluice.primary.seed");

/* `fd` is at its beginning. What is not a whole seed is replaced. */
static int read_or_make(int fd, uint64_t *seed)
{
	if (read(fd, seed, sizeof(*seed)) == sizeof(*seed) && *seed)
		return 0;
	if (getrandom(seed, sizeof(*seed), 0) != sizeof(*seed))
		return -EIO;
	return pwrite(fd, seed, sizeof(*seed), 0) == sizeof(*seed) ? 0 : -EIO;
}

int seed_get(const char *runtime_dir, uint64_t *seed)
{
	char path[PATH_MAX];
	int fd, rc;

	snprintf(path, sizeof(path), "%s/seed", runtime_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	rc = fd < 0 ? -errno : read_or_make(fd, seed);
	if (fd >= 0)
		close(fd);
	if (rc)
		sl_log(seed_log, ERR, "%s: %s", path, strerror(-rc));
	return rc;
}
