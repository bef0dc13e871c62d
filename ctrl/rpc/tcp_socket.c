/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/tcp_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/util.h>

int tcp_socket_listen(const char *text)
{
	struct sockaddr_storage address;
	int len = sizeof(address), fd, on = 1, error;

	if (evutil_parse_sockaddr_port(text, (struct sockaddr *)&address, &len))
		return -EINVAL;
	if (!((const struct sockaddr_in *)&address)->sin_port)
		return -EINVAL;
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* Inherited by what it accepts: answers are written whole. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (!bind(fd, (struct sockaddr *)&address, (socklen_t)len) && !listen(fd, SOMAXCONN))
		return fd;
	error = errno;
	close(fd);
	return -error;
}
