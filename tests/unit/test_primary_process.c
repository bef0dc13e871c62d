/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is alive (lock.c), and how a worker is said to have ended (spawn.c). */
#include "primary/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <sluice/eal.h>
#include <sluice/role.h>

#include "primary/boot_config.h"
#include "primary/spawn.h"

static char dir[] = "/tmp/sluice-lock-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	static const char *const names[] = {"primary.lock", "secondaries.lock", "eal.lock"};
	char path[sizeof(dir) + 32];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

/* A process that takes a lock, says so, and lives until it is ended. */
static pid_t lock_holder(bool primary)
{
	int ready[2];
	char byte;
	pid_t pid, holder;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		alarm(20);
		if (primary ? lock_primary(dir, &holder) : lock_secondary(dir))
			_exit(1);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static int end(pid_t pid, int sig)
{
	int status;

	assert_int_equal(kill(pid, sig), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void one_primary(void **state)
{
	pid_t pid, holder = 0;

	(void)state;
	assert_int_equal(lock_find_primary(dir), 0);
	pid = lock_holder(true);
	assert_int_equal(lock_find_primary(dir), pid);
	assert_int_equal(lock_primary(dir, &holder), -EBUSY);
	assert_int_equal(holder, pid);
	end(pid, SIGKILL);
	assert_int_equal(lock_find_primary(dir), 0);
	pid = lock_holder(true);
	end(pid, SIGTERM);
}

static void many_secondaries(void **state)
{
	pid_t first, second, found[4];

	(void)state;
	assert_int_equal(lock_find_secondaries(dir, found, 4), 0);
	first = lock_holder(false);
	second = lock_holder(false);
	assert_int_equal(lock_find_secondaries(dir, found, 1), 1);
	assert_int_equal(lock_find_secondaries(dir, found, 4), 2);
	assert_int_equal(found[0] + found[1], first + second);
	end(first, SIGKILL);
	assert_int_equal(lock_find_secondaries(dir, found, 4), 1);
	assert_int_equal(found[0], second);
	end(second, SIGKILL);
	assert_int_equal(lock_find_secondaries(dir, found, 4), 0);
}

static void no_directory(void **state)
{
	pid_t holder;

	(void)state;
	assert_int_equal(lock_primary("/nonexistent", &holder), -ENOENT);
	assert_int_equal(lock_find_primary("/nonexistent"), 0);
}

static void secondary_needs_a_primary(void **state)
{
	struct sl_eal_secondary how = {"test", "sluice-unit-none", "/nonexistent", 1, -1};

	(void)state;
	assert_int_equal(sl_eal_init_secondary(&how), -ESRCH);
	how.runtime_dir = dir;
	assert_int_equal(sl_eal_init_secondary(&how), -ESRCH);
}

static void ends_in_words(void **state)
{
	char text[64];
	int status;
	pid_t pid;

	(void)state;
	spawn_end_text(end(lock_holder(false), SIGKILL), text, sizeof(text));
	assert_string_equal(text, "killed by signal 9");
	for (unsigned int i = 0; i < 2; i++) {
		pid = fork();
		if (!pid)
			_exit(i ? SL_EXIT_ABI : 7);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		spawn_end_text(status, text, sizeof(text));
		assert_non_null(strstr(text, i ? "another shared-memory ABI" : "exited with 7"));
	}
}

/* The arguments of what is started, told by a program that repeats its own. */
static void log_levels_are_passed_on(void **state)
{
	struct boot_config config = {
		.instance = "unit", .runtime_dir = "/nowhere", .worker = {{.cpu = 3}}};
	int echo = open("/bin/echo", O_RDONLY | O_CLOEXEC), keep = dup(STDOUT_FILENO), fd[2];
	char text[512] = "";
	pid_t pid;

	(void)state;
	assert_true(spawn_log_level("sluice.worker:debug"));
	assert_int_equal(pipe(fd), 0);
	fflush(stdout);
	dup2(fd[1], STDOUT_FILENO);
	pid = spawn_worker(&config, echo, 0, 1);
	dup2(keep, STDOUT_FILENO);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(read(fd[0], text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "worker --instance unit --runtime-dir /nowhere --id 0 --lcore 1 "
				  "--cpu 3 --log-level sluice.worker:debug\n");
	for (int i = 1; i < 16; i++)
		assert_true(spawn_log_level("lib.*:error"));
	assert_false(spawn_log_level("lib.*:error"));
	close(fd[0]);
	close(fd[1]);
	close(keep);
	close(echo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_primary),   cmocka_unit_test(many_secondaries),
		cmocka_unit_test(no_directory),  cmocka_unit_test(secondary_needs_a_primary),
		cmocka_unit_test(ends_in_words), cmocka_unit_test(log_levels_are_passed_on),
	};

	return cmocka_run_group_tests_name("primary_process", tests, make_dir, remove_dir);
}
