/* SPDX-License-Identifier: BSD-3-Clause */
/* The log never waits for whoever reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sluice/log.h>

#define LINES 20000 /* far more than a pipe or a socket holds; SIGALRM ends who waits */
#define LIMIT 20    /* seconds */

SL_LOG_TYPE(test_log, "sluice.test");

/* Log to `end` as standard error; what a reader of `other` finds afterwards. */
static size_t flood(int end, int other)
{
	static char found[1 << 20];
	int keep = dup(STDERR_FILENO);
	ssize_t n;

	dup2(end, STDERR_FILENO);
	sl_log_open();
	alarm(LIMIT);
	for (int i = 0; i < LINES; i++)
		sl_log(test_log, ERR, "line %d of many that nobody reads", i);
	alarm(0);
	dup2(keep, STDERR_FILENO);
	close(keep);
	sl_log_open();
	n = recv(other, found, sizeof(found) - 1, MSG_DONTWAIT);
	if (n < 0)
		n = read(other, found, sizeof(found) - 1);
	assert_true(n > 0);
	found[n] = '\0';
	assert_non_null(strstr(found, "line 0 of many that nobody reads\n"));
	close(end);
	close(other);
	return (size_t)n;
}

static void full_pipe(void **state)
{
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	flood(fd[1], fd[0]);
}

/* Ours does not wait; the file as others have it still does. */
static void others_keep_theirs(void **state)
{
	int fd[2], keep = dup(STDERR_FILENO);

	(void)state;
	assert_int_equal(pipe(fd), 0);
	dup2(fd[1], STDERR_FILENO);
	sl_log_open();
	assert_int_equal(fcntl(fd[1], F_GETFL) & O_NONBLOCK, 0);
	dup2(keep, STDERR_FILENO);
	sl_log_open();
	close(fd[0]);
	close(fd[1]);
	close(keep);
}

static void full_socket(void **state)
{
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	flood(fd[0], fd[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_pipe),
		cmocka_unit_test(others_keep_theirs),
		cmocka_unit_test(full_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
