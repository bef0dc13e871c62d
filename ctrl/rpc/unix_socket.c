/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/unix_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Does anybody answer at this address? A full backlog (EAGAIN) is somebody, too. */
static int remove_stale(const struct sockaddr_un *address)
{
	struct stat st;
	int fd, error;

	if (lstat(address->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	error = connect(fd, (const struct sockaddr *)address, sizeof(*address)) ? errno : 0;
	close(fd);
	if (error != ECONNREFUSED)
		return error == 0 || error == EAGAIN ? -EADDRINUSE : -error;
	return unlink(address->sun_path) ? -errno : 0;
}

/* The file is made without access for others, which it gets when it has its mode. */
static int bind_and_listen(int fd, const struct sockaddr_un *address, mode_t mode)
{
	if (fchmod(fd, 0600) || bind(fd, (const struct sockaddr *)address, sizeof(*address)))
		return -errno;
	if (listen(fd, SOMAXCONN) || chmod(address->sun_path, mode)) {
		int error = errno;

		unlink(address->sun_path);
		return -error;
	}
	return 0;
}

int unix_socket_listen(const char *path, mode_t mode)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, rc;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	rc = remove_stale(&address);
	if (rc)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	rc = bind_and_listen(fd, &address, mode);
	if (rc) {
		close(fd);
		return rc;
	}
	return fd;
}
