/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/join.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <sluice/eal.h>
#include <sluice/log.h>

SL_LOG_TYPE(join_log, "sluice.ctrl.join");

#define PRIMARY_WAIT_MS 10000
#define PRIMARY_POLL_MS 50

/* Two daemons would both write the arena. The descriptor stays open on purpose. */
static int take_lock(const char *runtime_dir)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/ctrl.lock", runtime_dir) >= (int)sizeof(path)) {
		sl_log(join_log, ERR, "%s: is too long for a file's path", runtime_dir);
		return -ENAMETOOLONG;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		int rc = -errno;

		sl_log(join_log, ERR, "%s: %s", path, strerror(errno));
		return rc;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		sl_log(join_log, ERR, "%s: another control daemon of this instance runs", path);
		close(fd);
		return -EBUSY;
	}
	return 0;
}

/* The primary listens when everything that we need is there. */
static bool primary_listens(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	bool listens;

	if (fd < 0)
		return false;
	listens = !connect(fd, (const struct sockaddr *)address, sizeof(*address));
	close(fd);
	return listens;
}

static int wait_for_primary(const char *runtime_dir)
{
	const struct timespec pause = {.tv_nsec = PRIMARY_POLL_MS * 1000000L};
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/primary.sock", runtime_dir) >=
	    (int)sizeof(address.sun_path)) {
		sl_log(join_log, ERR, "%s: is too long for a socket's path", runtime_dir);
		return -ENAMETOOLONG;
	}
	for (int waited = 0; waited <= PRIMARY_WAIT_MS; waited += PRIMARY_POLL_MS) {
		if (primary_listens(&address))
			return 0;
		nanosleep(&pause, NULL);
	}
	sl_log(join_log, ERR, "%s: no primary answers", address.sun_path);
	return -ESRCH;
}

struct sl_root *join_instance(const char *program, const struct options *options)
{
	const struct sl_eal_secondary how = {
		.program = program,
		.instance = options->instance,
		.runtime_dir = options->runtime_dir,
		.lcore = SL_LCORE_CTRL,
		.cpu = -1,
	};
	struct sl_root *root;
	char why[256];

	if (take_lock(options->runtime_dir) || wait_for_primary(options->runtime_dir) ||
	    sl_eal_init_secondary(&how))
		return NULL;
	root = sl_root_attach(why, sizeof(why));
	if (!root)
		sl_log(join_log, ERR, "%s", why);
	return root;
}
