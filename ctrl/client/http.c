/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/client/http.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* What has arrived: header and body in one piece, always with a NUL behind. */
struct input {
	char *data;
	size_t len;
	size_t size;
};

struct head {
	int status;
	size_t header_len; /* up to and with the empty line */
	size_t body_len;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		int64_t left = deadline - now_ms();
		int n;

		if (left <= 0)
			return -ETIMEDOUT;
		n = poll(&p, 1, left > INT32_MAX ? INT32_MAX : (int)left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

/* A full backlog answers EAGAIN at once, and poll would not tell when there is room. */
static int dial(const char *path, int64_t deadline)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	while (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int err = errno;

		if ((err == EAGAIN || err == EINTR) && now_ms() < deadline) {
			nanosleep(&pause, NULL);
			continue;
		}
		close(fd);
		return err == EAGAIN ? -ETIMEDOUT : -err;
	}
	return fd;
}

/* A server that refuses early stops reading: its answer counts, not our broken pipe. */
static int send_all(int fd, const char *data, size_t len, int64_t deadline)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n >= 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			int err = wait_for(fd, POLLOUT, deadline);

			if (err < 0)
				return err;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			return 0;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

static int make_room(struct input *in)
{
	size_t size = in->size ? in->size * 2 : 16384;
	char *data;

	if (in->len + 1 < in->size)
		return 0;
	if (size > HTTP_ANSWER_MAX)
		return -EMSGSIZE;
	data = realloc(in->data, size);
	if (!data)
		return -ENOMEM;
	in->data = data;
	in->size = size;
	return 0;
}

/* One more piece. Its length, 0 at the end, or -errno. */
static ssize_t receive(int fd, struct input *in, int64_t deadline)
{
	int err = make_room(in);

	if (err < 0)
		return err;
	for (;;) {
		ssize_t n = recv(fd, in->data + in->len, in->size - in->len - 1, 0);

		if (n >= 0) {
			in->len += (size_t)n;
			in->data[in->len] = '\0';
			return n;
		}
		if (errno == EAGAIN)
			err = wait_for(fd, POLLIN, deadline);
		else if (errno != EINTR)
			err = -errno;
		if (err < 0)
			return err;
	}
}

/* The value of a header line, or NULL. */
static const char *header_value(const char *line, const char *name)
{
	size_t len = strlen(name);

	if (strncasecmp(line, name, len) != 0 || line[len] != ':')
		return NULL;
	return line + len + 1 + strspn(line + len + 1, " \t");
}

/* 1 when the whole header is there and understood, 0 when more has to come. */
static int parse_head(const struct input *in, struct head *head)
{
	const char *end = in->len ? strstr(in->data, "\r\n\r\n") : NULL;
	bool has_length = false;

	if (!end)
		return 0;
	if (sscanf(in->data, "HTTP/1.%*1[01] %3d", &head->status) != 1)
		return -EPROTO;
	head->header_len = (size_t)(end - in->data) + 4;
	for (const char *line = in->data; line < end; line = strstr(line, "\r\n") + 2) {
		const char *value = header_value(line, "Content-Length");
		unsigned long long length;

		if (header_value(line, "Transfer-Encoding"))
			return -EPROTO;
		if (!value)
			continue;
		if (sscanf(value, "%20llu", &length) != 1)
			return -EPROTO;
		if (length > HTTP_ANSWER_MAX)
			return -EMSGSIZE;
		head->body_len = length;
		has_length = true;
	}
	return has_length ? 1 : -EPROTO;
}

static int receive_answer(int fd, struct input *in, struct http_answer *answer, int64_t deadline)
{
	struct head head = {0};
	int known = 0;

	do {
		ssize_t n = receive(fd, in, deadline);

		if (n < 0)
			return (int)n;
		if (!known)
			known = parse_head(in, &head);
		if (known < 0)
			return known;
		if (n == 0 && (!known || in->len < head.header_len + head.body_len))
			return -ECONNRESET;
	} while (!known || in->len < head.header_len + head.body_len);

	answer->status = head.status;
	answer->body_len = head.body_len;
	answer->body = strndup(in->data + head.header_len, head.body_len);
	return answer->body ? 0 : -ENOMEM;
}

int http_post(const char *socket_path, const char *url_path, const char *body,
	      unsigned int timeout_ms, struct http_answer *answer)
{
	/* The daemon keeps the deadline too, and can say more about it: it goes first. */
	int64_t deadline = now_ms() + timeout_ms + 500;
	struct input in = {0};
	char head[512];
	int err, fd;

	snprintf(head, sizeof(head),
		 "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
		 "Connect-Protocol-Version: 1\r\nConnect-Timeout-Ms: %u\r\n"
		 "Connection: close\r\nContent-Length: %zu\r\n\r\n",
		 url_path, timeout_ms, strlen(body));
	fd = dial(socket_path, deadline);
	if (fd < 0)
		return fd;
	err = send_all(fd, head, strlen(head), deadline);
	if (err == 0)
		err = send_all(fd, body, strlen(body), deadline);
	if (err == 0)
		err = receive_answer(fd, &in, answer, deadline);
	free(in.data);
	close(fd);
	return err;
}
