/* SPDX-License-Identifier: BSD-3-Clause */
#include "primary/eal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <sluice/eal.h>
#include <sluice/limits.h>
#include <sluice/log.h>

#include <rte_eal.h>
#include <rte_errno.h>

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
	args_add(a, "--log-level=lib.eal:warning");
}

static int eal_start(struct args *a)
{
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
		rc = eal_start(&a);
	if (rc)
		sl_log(eal_log, ERR, "instance %s: EAL did not start: %s", config->instance,
		       strerror(-rc));
	return rc;
}

static int secondary_start(const struct sl_eal_secondary *how)
{
	struct args a = {0};
	int rc;

	args_common(&a, how->program, how->instance, how->lcore, how->cpu);
	args_add(&a, "--proc-type=secondary");
	args_pci_from_file(&a, how->runtime_dir);
	rc = eal_start(&a);
	if (rc)
		sl_log(eal_log, ERR, "%s: cannot join instance %s: %s", how->program, how->instance,
		       strerror(-rc));
	return rc;
}

int sl_eal_init_secondary(const struct sl_eal_secondary *how)
{
	int rc, fd = eal_lock(how->runtime_dir);

	if (fd < 0) {
		sl_log(eal_log, ERR, "%s: %s/eal.lock: %s", how->program, how->runtime_dir,
		       fd == -ETIMEDOUT ? "held for too long by another process that starts"
					: strerror(-fd));
		return fd;
	}
	if (!lock_find_primary(how->runtime_dir)) {
		sl_log(eal_log, ERR, "%s: no primary runs in %s", how->program, how->runtime_dir);
		rc = -ESRCH;
	} else {
		rc = lock_secondary(how->runtime_dir);
		if (!rc)
			rc = secondary_start(how);
	}
	close(fd);
	return rc;
}
