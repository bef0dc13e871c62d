/* SPDX-License-Identifier: BSD-3-Clause */
#include <sluice/log.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_common.h>

#include <sluice/limits.h>

/* All of it or nothing; what nobody takes is lost. */
static ssize_t write_file(void *fd, const char *text, size_t len)
{
	if (write((int)(intptr_t)fd, text, len) < 0)
		return (ssize_t)len;
	return (ssize_t)len;
}

static ssize_t write_socket(void *fd, const char *text, size_t len)
{
	send((int)(intptr_t)fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return (ssize_t)len;
}

/*
 * Others have the same pipe or terminal, and need not like it when it does not wait: ours is
 * opened anew. A file never waits for a reader.
 */
static int own_descriptor(const struct stat *st)
{
	int fd = -1;

	if (S_ISFIFO(st->st_mode) || S_ISCHR(st->st_mode))
		fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? STDERR_FILENO : fd;
}

void sl_log_open(void)
{
	struct stat st;
	cookie_io_functions_t to = {.write = write_file};
	int fd = STDERR_FILENO;
	FILE *stream;

	if (!fstat(STDERR_FILENO, &st)) {
		fd = own_descriptor(&st);
		if (S_ISSOCK(st.st_mode))
			to.write = write_socket;
	}
	stream = fopencookie((void *)(intptr_t)fd, "a", to);
	rte_openlog_stream(stream ? stream : stderr);
}

bool sl_log_set_level(const char *text)
{
	static const char *const levels[] = {
		[RTE_LOG_ERR] = "error", [RTE_LOG_WARNING] = "warning", [RTE_LOG_NOTICE] = "notice",
		[RTE_LOG_INFO] = "info", [RTE_LOG_DEBUG] = "debug",
	};
	const char *colon = strrchr(text, ':');
	char type[SL_NAME_LEN];

	if (!colon || (size_t)(colon - text) >= sizeof(type))
		return false;
	snprintf(type, sizeof(type), "%.*s", (int)(colon - text), text);
	for (size_t i = 0; i < RTE_DIM(levels); i++)
		if (levels[i] && !strcmp(levels[i], colon + 1))
			return rte_log_set_level_pattern(type, i) == 0;
	return false;
}
