/* SPDX-License-Identifier: BSD-3-Clause */
#include "primary/eal.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <sluice/eal.h>
#include <sluice/limits.h>
#include <sluice/log.h>
#include <sluice/primary_rpc.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_service_component.h>

#include "primary/boot_config.h"
#include "primary/lock.h"

SL_LOG_TYPE(eal_log, "sluice.primary.eal");

#define LOCK_WAIT_MS 10000
#define LOCK_POLL_MS 5

/* Room for `lcore@(cpu,cpu,...)`, and for an argument vector. */
#define LCORES_LEN 4096
#define MAX_ARGS   (16 + 2 * SL_MAX_PORTS)

struct args {
	char *argv[MAX_ARGS];
	int argc;
};

/* EAL permutes and keeps its arguments, so each is a copy that is never freed. */
static void args_add(struct args *a, const char *format, ...) __rte_format_printf(2, 3);
static void args_add(struct args *a, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	if (a->argc < MAX_ARGS - 1 && vasprintf(&a->argv[a->argc], format, list) >= 0)
		a->argc++;
	va_end(list);
}

int eal_lock(const char *runtime_dir)
{
	const struct timespec pause = {.tv_nsec = LOCK_POLL_MS * 1000000L};
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/eal.lock", runtime_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB); waited += LOCK_POLL_MS) {
		if (errno != EWOULDBLOCK || waited >= LOCK_WAIT_MS) {
			int rc = errno == EWOULDBLOCK ? -ETIMEDOUT : -errno;

			close(fd);
			return rc;
		}
		nanosleep(&pause, NULL);
	}
	return fd;
}

/* `lcore@cpu`, or the CPUs that this process may run on. */
static void lcores_option(char *text, size_t len, unsigned int lcore, int cpu)
{
	cpu_set_t all;
	size_t n;

	if (cpu >= 0) {
		snprintf(text, len, "%u@%d", lcore, cpu);
		return;
	}
	CPU_ZERO(&all);
	sched_getaffinity(0, sizeof(all), &all);
	n = snprintf(text, len, "%u@(", lcore);
	for (int c = 0; c < CPU_SETSIZE; c++)
		if (CPU_ISSET(c, &all) && n < len - 8)
			n += snprintf(text + n, len - n, "%s%d", text[n - 1] == '(' ? "" : ",", c);
	snprintf(text + n, len - n, ")");
}

static void args_common(struct args *a, const char *program, const char *instance,
			unsigned int lcore, int cpu)
{
	char lcores[LCORES_LEN];

	lcores_option(lcores, sizeof(lcores), lcore, cpu);
	args_add(a, "%s", program);
	args_add(a, "--file-prefix=%s", instance);
	args_add(a, "--lcores=%s", lcores);
	args_add(a, "--no-telemetry");
	args_add(a, "--log-level=lib.*:warning");
}

/*
 * The library's files go to our directory, whatever a service manager says to one process
 * of the instance and not to another.
 */
static int eal_start(struct args *a, const char *runtime_dir)
{
	if (setenv("RUNTIME_DIRECTORY", runtime_dir, 1))
		return -errno;
	return rte_eal_init(a->argc, a->argv) < 0 ? -rte_errno : 0;
}

/*
 * Which PCI devices a secondary shall look at: the primary's, from a file that the primary
 * leaves for it; it would otherwise try every device that it can see.
 */
static int pci_path(char *path, size_t len, const char *runtime_dir)
{
	return snprintf(path, len, "%s/pci", runtime_dir);
}

static void args_pci_from_file(struct args *a, const char *runtime_dir)
{
	char path[PATH_MAX], device[BOOT_DEVICE_LEN];
	bool any = false;
	FILE *file;

	pci_path(path, sizeof(path), runtime_dir);
	file = fopen(path, "re");
	while (file && fscanf(file, "%255s", device) == 1) {
		args_add(a, "--allow=%s", device);
		any = true;
	}
	if (file)
		fclose(file);
	if (!any)
		args_add(a, "--no-pci");
}

/* The primary's devices, and the file for the others. */
static int args_devices(struct args *a, const struct boot_config *config)
{
	char path[PATH_MAX];
	bool any = false;
	FILE *file;

	pci_path(path, sizeof(path), config->runtime_dir);
	file = fopen(path, "we");
	if (!file)
		return -errno;
	for (unsigned int i = 0; i < config->n_ports; i++) {
		const struct boot_port *p = &config->port[i];

		args_add(a, "--%s=%s", p->pci ? "allow" : "vdev", p->device);
		if (p->pci)
			fprintf(file, "%s\n", p->device);
		any |= p->pci;
	}
	if (!any)
		args_add(a, "--no-pci");
	return fclose(file) ? -errno : 0;
}

/* EAL leaves its files to the next primary; pages stay taken meanwhile. */
static void remove_matching(const char *format, ...) __rte_format_printf(1, 2);
static void remove_matching(const char *format, ...)
{
	char pattern[PATH_MAX];
	va_list list;
	glob_t found;

	va_start(list, format);
	vsnprintf(pattern, sizeof(pattern), format, list);
	va_end(list);
	if (!glob(pattern, 0, NULL, &found)) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			remove(found.gl_pathv[i]);
		globfree(&found);
	}
}

static void remove_files(const struct boot_config *config)
{
	remove_matching("%s/%smap_*", config->hugepages.directory, config->instance);
	remove_matching("%s/dpdk/%s/*", config->runtime_dir, config->instance);
	remove_matching("%s/dpdk/%s", config->runtime_dir, config->instance);
	remove_matching("%s/dpdk", config->runtime_dir);
}

int eal_init_primary(const char *program, const struct boot_config *config, const char *socket_mem)
{
	struct args a = {0};
	int rc;

	args_common(&a, program, config->instance, SL_LCORE_PRIMARY, -1);
	args_add(&a, "--proc-type=primary");
	args_add(&a, "--base-virtaddr=0x200000000000");
	args_add(&a, "--huge-dir=%s", config->hugepages.directory);
	args_add(&a, "--socket-mem=%s", socket_mem);
	rc = args_devices(&a, config);
	if (!rc)
		rc = eal_start(&a, config->runtime_dir);
	if (rc) {
		sl_log(eal_log, ERR, "instance %s: EAL did not start: %s", config->instance,
		       strerror(-rc));
		remove_files(config);
	}
	return rc;
}

void eal_leave(const struct boot_config *config)
{
	rte_eal_cleanup();
	remove_files(config);
}

/*
 * The library takes 150 KiB of the shared heap for service cores in each process, and gives them
 * back in a clean-up that ours never come to: after some hundred restarts or kills
 * nobody could start any more. We have no service cores.
 */
static void give_back(void)
{
	struct rte_malloc_socket_stats heap;

	rte_service_finalize();
	if (!rte_malloc_get_socket_stats((int)rte_socket_id(), &heap))
		sl_log(eal_log, DEBUG, "heap of the library: %zu KiB free, %u blocks taken",
		       heap.heap_freesz_bytes >> 10, heap.alloc_count);
}

static int secondary_start(const struct sl_eal_secondary *how)
{
	struct args a = {0};
	int rc;

	args_common(&a, how->program, how->instance, how->lcore, how->cpu);
	args_add(&a, "--proc-type=secondary");
	args_pci_from_file(&a, how->runtime_dir);
	rc = eal_start(&a, how->runtime_dir);
	if (rc) {
		sl_log(eal_log, ERR, "%s: cannot join instance %s: %s", how->program, how->instance,
		       strerror(-rc));
		return rc;
	}
	give_back();
	return 0;
}

/* The caller holds the EAL lock, and the process before it died inside. Bounded: 2 s. */
static int ask_for_repair(const char *runtime_dir)
{
	const struct sl_primary_request request = {.op = SL_PRIMARY_REPAIR_EAL};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = 2};
	struct sl_primary_answer answer;
	int rc = 0, fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/primary.sock", runtime_dir);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    send(fd, &request, sizeof(request), MSG_NOSIGNAL) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

/* A mark in the lock's file, while we are inside. */
static bool mark_found(int fd)
{
	char mark;

	return pread(fd, &mark, 1, 0) == 1;
}

static void mark_set(int fd)
{
	if (pwrite(fd, "!", 1, 0) != 1)
		sl_log(eal_log, WARNING, "eal.lock: %s", strerror(errno));
}

static void mark_clear(int fd)
{
	if (ftruncate(fd, 0))
		sl_log(eal_log, WARNING, "eal.lock: %s", strerror(errno));
}

/* The lock is held. */
static int join(const struct sl_eal_secondary *how, int fd)
{
	int rc;

	if (!lock_find_primary(how->runtime_dir)) {
		sl_log(eal_log, ERR, "%s: no primary runs in %s", how->program, how->runtime_dir);
		return -ESRCH;
	}
	if (mark_found(fd)) {
		sl_log(eal_log, NOTICE, "%s: the process before died while it started",
		       how->program);
		rc = ask_for_repair(how->runtime_dir);
		if (rc) {
			sl_log(eal_log, ERR, "%s: the primary does not repair: %s", how->program,
			       strerror(-rc));
			return rc;
		}
	}
	rc = lock_secondary(how->runtime_dir);
	if (rc)
		return rc;
	mark_set(fd);
	rc = secondary_start(how);
	mark_clear(fd);
	return rc;
}

int sl_eal_init_secondary(const struct sl_eal_secondary *how)
{
	int rc, fd = eal_lock(how->runtime_dir);

	if (fd == -ENOENT) {
		sl_log(eal_log, ERR, "%s: no primary runs in %s", how->program, how->runtime_dir);
		return -ESRCH;
	}
	if (fd < 0) {
		sl_log(eal_log, ERR, "%s: %s/eal.lock: %s", how->program, how->runtime_dir,
		       fd == -ETIMEDOUT ? "held for too long by another process that starts"
					: strerror(-fd));
		return fd;
	}
	rc = join(how, fd);
	close(fd);
	return rc;
}
