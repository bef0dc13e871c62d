/* SPDX-License-Identifier: BSD-3-Clause */
#include "primary/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sluice/role.h>

#include "primary/boot_config.h"

#define NUMBER_LEN     12
#define MAX_LOG_LEVELS 16
#define MAX_ARGS       (16 + 2 * MAX_LOG_LEVELS)

static char own_path[PATH_MAX];
static const char *log_level[MAX_LOG_LEVELS];
static unsigned int n_log_levels;

bool spawn_log_level(const char *text)
{
	if (n_log_levels == MAX_LOG_LEVELS)
		return false;
	log_level[n_log_levels++] = text;
	return true;
}

int spawn_init(void)
{
	ssize_t n = readlink("/proc/self/exe", own_path, sizeof(own_path) - 1);

	if (n < 0)
		return -errno;
	own_path[n] = '\0';
	return 0;
}

static int open_program(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int spawn_running_program(void)
{
	return open_program("/proc/self/exe");
}

int spawn_installed_program(void)
{
	return open_program(own_path);
}

/*
 * A worker gets none of our files: it would keep the taps alive after us. It has its own process
 * group, so that an interrupt at a terminal goes to the primary alone.
 */
static int prepare(posix_spawnattr_t *attr, posix_spawn_file_actions_t *files)
{
	sigset_t none, all;
	int rc = posix_spawnattr_init(attr);

	if (rc)
		return rc;
	rc = posix_spawn_file_actions_init(files);
	if (rc) {
		posix_spawnattr_destroy(attr);
		return rc;
	}
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(attr, &none);
	posix_spawnattr_setsigdefault(attr, &all);
	posix_spawnattr_setpgroup(attr, 0);
	posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
					       POSIX_SPAWN_SETPGROUP);
	return posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
}

/* The child has closed its copy of `program` when it is executed: ours is named instead. */
pid_t spawn_worker(const struct boot_config *config, int program, unsigned int id,
		   unsigned int lcore)
{
	char path[64];
	char id_text[NUMBER_LEN], lcore_text[NUMBER_LEN], cpu_text[NUMBER_LEN];
	char *argv[MAX_ARGS] = {"sluice",        "worker",
				"--instance",    (char *)config->instance,
				"--runtime-dir", (char *)config->runtime_dir,
				"--id",          id_text,
				"--lcore",       lcore_text,
				"--cpu",         cpu_text};
	unsigned int argc = 12;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	pid_t pid;
	int rc;

	snprintf(id_text, sizeof(id_text), "%u", id);
	snprintf(lcore_text, sizeof(lcore_text), "%u", lcore);
	snprintf(cpu_text, sizeof(cpu_text), "%u", config->worker[id].cpu);
	for (unsigned int i = 0; i < n_log_levels; i++) {
		argv[argc++] = "--log-level";
		argv[argc++] = (char *)log_level[i];
	}
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), program);
	rc = prepare(&attr, &files);
	if (!rc)
		rc = posix_spawn(&pid, path, &files, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return rc ? -rc : pid;
}

void spawn_end_text(int status, char *text, size_t len)
{
	if (WIFSIGNALED(status))
		snprintf(text, len, "killed by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) == SL_EXIT_ABI)
		snprintf(text, len,
			 "its program has another shared-memory ABI: restart the primary");
	else
		snprintf(text, len, "exited with %d", WEXITSTATUS(status));
}
