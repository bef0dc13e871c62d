/* SPDX-License-Identifier: BSD-3-Clause */
#include "primary/tap.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Called for each of our tun files with its interface's name; false ends the walk. */
typedef bool (*tap_visit_fn)(int fd, const char *interface, void *arg);

static bool is_tun(const char *fd)
{
	char path[64], target[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%s", fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	return !strcmp(target, "/dev/net/tun");
}

static void tap_walk(tap_visit_fn visit, void *arg)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	bool more = true;

	if (!dir)
		return;
	while (more && (entry = readdir(dir))) {
		struct ifreq ifr = {0};
		int fd = atoi(entry->d_name);

		if (is_tun(entry->d_name) && !ioctl(fd, TUNGETIFF, &ifr))
			more = visit(fd, ifr.ifr_name, arg);
	}
	closedir(dir);
}

static bool quiet(int fd, const char *interface, void *arg)
{
	int flags = fcntl(fd, F_GETFL);

	(void)interface;
	(void)arg;
	if (flags >= 0)
		fcntl(fd, F_SETFL, flags & ~O_ASYNC);
	return true;
}

void tap_quiet(void)
{
	tap_walk(quiet, NULL);
}

struct wanted {
	const char *interface;
	int fd;
};

static bool compare(int fd, const char *interface, void *arg)
{
	struct wanted *wanted = arg;

	if (strcmp(interface, wanted->interface))
		return true;
	wanted->fd = fd;
	return false;
}

int tap_file(const char *interface)
{
	struct wanted wanted = {.interface = interface, .fd = -1};

	tap_walk(compare, &wanted);
	return wanted.fd;
}
