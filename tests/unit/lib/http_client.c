/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/lib/http_client.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

int client_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

void client_pass(struct event_base *base, int ms)
{
	do {
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(1000);
	} while (ms-- > 0);
}

void client_send(struct event_base *base, int fd, const char *bytes, size_t len)
{
	for (unsigned int turns = 0; len && turns < 100000; turns++) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n > 0) {
			bytes += n;
			len -= n;
		}
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	assert_int_equal(len, 0);
}

const char *client_receive(struct event_base *base, int fd, const char *until, int wait_ms)
{
	static char text[65536];
	size_t have = 0;

	text[0] = '\0';
	for (int ms = 0; ms < wait_ms && have < sizeof(text) - 1; ms++) {
		ssize_t n;

		event_base_loop(base, EVLOOP_NONBLOCK);
		n = recv(fd, text + have, sizeof(text) - 1 - have, 0);
		if (n == 0)
			break;
		if (n > 0) {
			have += n;
			text[have] = '\0';
		}
		if (until && strstr(text, until))
			break;
		if (n < 0)
			usleep(1000);
	}
	return text;
}
