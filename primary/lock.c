/* SPDX-License-Identifier: BSD-3-Clause */
#include "primary/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PRIMARY     "primary.lock"
#define SECONDARIES "secondaries.lock"

static int lock_open(const char *runtime_dir, const char *name)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", runtime_dir, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : fd;
}

/* Who would keep us from locking the whole file exclusively? 0: nobody. */
static pid_t lock_holder(int fd)
{
	struct flock query = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_GETLK, &query) < 0 || query.l_type == F_UNLCK)
		return 0;
	return query.l_pid;
}

static pid_t lock_find(const char *runtime_dir, const char *name)
{
	int fd = lock_open(runtime_dir, name);
	pid_t holder;

	if (fd < 0)
		return 0;
	holder = lock_holder(fd);
	close(fd);
	return holder;
}

/*
 * The descriptor stays open on purpose: the lock lives as long as the process,
 * and closing any descriptor of the file would drop it.
 */
static int lock_take(const char *runtime_dir, const char *name, short type, pid_t *holder)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
	int fd = lock_open(runtime_dir, name);
	int rc;

	if (fd < 0)
		return fd;
	if (!fcntl(fd, F_SETLK, &lock))
		return 0;
	rc = errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
	*holder = lock_holder(fd);
	close(fd);
	return rc;
}

int lock_primary(const char *runtime_dir, pid_t *holder)
{
	return lock_take(runtime_dir, PRIMARY, F_WRLCK, holder);
}

int lock_secondary(const char *runtime_dir)
{
	pid_t nobody;

	return lock_take(runtime_dir, SECONDARIES, F_RDLCK, &nobody);
}

pid_t lock_find_primary(const char *runtime_dir)
{
	return lock_find(runtime_dir, PRIMARY);
}

/* The kernel names one holder only to who asks for a lock; the list of all locks has them all. */
int lock_find_secondaries(const char *runtime_dir, pid_t *pids, int max)
{
	char path[PATH_MAX], line[256];
	unsigned long inode;
	struct stat st;
	FILE *locks;
	int n = 0;

	if (snprintf(path, sizeof(path), "%s/" SECONDARIES, runtime_dir) >= (int)sizeof(path) ||
	    stat(path, &st))
		return 0;
	locks = fopen("/proc/locks", "re");
	while (locks && n < max && fgets(line, sizeof(line), locks))
		if (sscanf(line, "%*d: POSIX %*s READ %d %*x:%*x:%lu ", &pids[n], &inode) == 2 &&
		    inode == st.st_ino)
			n++;
	if (locks)
		fclose(locks);
	return n;
}
