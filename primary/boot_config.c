/* SPDX-License-Identifier: BSD-3-Clause */
#include "primary/boot_config.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <sluice/boot_yaml.h>
#include <sluice/eal.h>
#include <sluice/msg.h>

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

#define TABLE(array, type)                                                   \
	{                                                                    \
		.keys = array, .n_keys = sizeof(array) / sizeof((array)[0]), \
		.line_offset = offsetof(type, line)                          \
	}

#define PORT(field) .offset = offsetof(struct boot_port, field)
static const struct sl_boot_key port_keys[] = {
	{"name", SL_BOOT_NAME, true, PORT(name), .len = SL_NAME_LEN},
	{"device", SL_BOOT_TEXT, true, PORT(device), .len = BOOT_DEVICE_LEN},
	{"mtu", SL_BOOT_NUMBER, PORT(mtu), .min = 576, .max = 9000, .initial = 1500},
	{"queue-descriptors", SL_BOOT_POWER, PORT(descriptors), .min = 64, .max = 4096,
	 .initial = 512},
	{"steering", SL_BOOT_CHOICE, PORT(steer), .words = {"none", "auto"}, .initial = true},
};
static const struct sl_boot_table port_table = TABLE(port_keys, struct boot_port);

static const struct sl_boot_key worker_keys[] = {
	{"cpu", SL_BOOT_NUMBER, true, .offset = offsetof(struct boot_worker, cpu), .max = 1023},
};
static const struct sl_boot_table worker_table = TABLE(worker_keys, struct boot_worker);

#define LIMIT(field) .offset = offsetof(struct boot_limits, field)
static const struct sl_boot_key limit_keys[] = {
	{"connections", SL_BOOT_NUMBER, LIMIT(connections), .min = 1024, .max = 16777216,
	 .initial = 131072},
	{"connections-ipv6", SL_BOOT_NUMBER, LIMIT(connections_ipv6), .min = 1024, .max = 16777216,
	 .initial = 32768},
	{"buffers", SL_BOOT_NUMBER, LIMIT(buffers), .min = 1024, .max = 1048576, .initial = 8192},
	{"neighbours", SL_BOOT_NUMBER, LIMIT(neighbours), .min = 16, .max = 65534, .initial = 1024},
	{"virtual-servers", SL_BOOT_NUMBER, LIMIT(virtual_servers), .min = 1, .max = 1048576,
	 .initial = 1024},
	{"backends", SL_BOOT_NUMBER, LIMIT(backends), .min = 1, .max = 1048576, .initial = 4096},
	{"local-addresses", SL_BOOT_NUMBER, LIMIT(local_addresses), .min = 1, .max = 1024,
	 .initial = 16},
	{"port-pools-per-address", SL_BOOT_NUMBER, LIMIT(port_pools_per_address), .min = 1,
	 .max = 256, .initial = 4},
	{"persistence-templates", SL_BOOT_NUMBER, LIMIT(persistence_templates), .min = 1024,
	 .max = 16777216, .initial = 65536},
	{"snapshot", SL_BOOT_SIZE, LIMIT(snapshot), .min = KIB(64), .max = GIB(1),
	 .initial = MIB(4)},
};
static const struct sl_boot_table limit_table = TABLE(limit_keys, struct boot_limits);

static const struct sl_boot_key huge_keys[] = {
	{"directory", SL_BOOT_PATH, .offset = offsetof(struct boot_hugepages, directory),
	 .len = BOOT_DIR_LEN, .initial_text = "/dev/hugepages"},
};
static const struct sl_boot_table huge_table = TABLE(huge_keys, struct boot_hugepages);

#define TOP(field) .offset = offsetof(struct boot_config, field)
static const struct sl_boot_key top_keys[] = {
	{"instance", SL_BOOT_NAME, TOP(instance), .len = SL_NAME_LEN, .initial_text = "sluice"},
	{"runtime-directory", SL_BOOT_PATH, TOP(runtime_dir), .len = BOOT_DIR_LEN,
	 .initial_text = SL_DEFAULT_RUNTIME_DIR},
	{"hugepages", SL_BOOT_MAP, TOP(hugepages), .table = &huge_table},
	{"ports", SL_BOOT_LIST, true, TOP(port), .min = 1, .max = SL_MAX_PORTS,
	 .table = &port_table, .item_size = sizeof(struct boot_port),
	 .count_offset = offsetof(struct boot_config, n_ports)},
	{"workers", SL_BOOT_LIST, true, TOP(worker), .min = 1, .max = SL_MAX_WORKERS,
	 .table = &worker_table, .item_size = sizeof(struct boot_worker),
	 .count_offset = offsetof(struct boot_config, n_workers)},
	{"standby", SL_BOOT_CHOICE, TOP(standby), .words = {"no", "yes"}, .initial = true},
	{"watchdog", SL_BOOT_TIME, TOP(watchdog), .min = 100, .max = 60000, .initial = 500},
	{"idle", SL_BOOT_CHOICE, TOP(idle_spin), .words = {"adaptive", "spin"}},
	{"limits", SL_BOOT_MAP, TOP(limits), .table = &limit_table},
};
static const struct sl_boot_table top_table = TABLE(top_keys, struct boot_config);

struct complaint {
	const char *path;
	char *why;
	size_t why_len;
};

static int refuse(const struct complaint *c, unsigned int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static int refuse(const struct complaint *c, unsigned int line, const char *format, ...)
{
	int n = snprintf(c->why, c->why_len, "%s:%u: ", c->path, line);
	va_list list;

	if (n >= 0 && (size_t)n < c->why_len) {
		va_start(list, format);
		vsnprintf(c->why + n, c->why_len - n, format, list);
		va_end(list);
	}
	return -EINVAL;
}

/* The device's name ends where its arguments begin. */
static size_t device_name_len(const char *device)
{
	return strcspn(device, ",");
}

static bool same_device(const char *a, const char *b)
{
	size_t n = device_name_len(a);

	return n == device_name_len(b) && !strncmp(a, b, n);
}

/* domain:bus:device.function */
static bool is_pci(const char *device)
{
	unsigned int domain, bus, slot, function;
	int n = 0;

	return sscanf(device, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &n) == 4 &&
	       (size_t)n == device_name_len(device);
}

static int check_ports(const struct complaint *c, struct boot_config *config)
{
	for (unsigned int i = 0; i < config->n_ports; i++) {
		struct boot_port *p = &config->port[i];

		p->pci = is_pci(p->device);
		p->tap = !strncmp(p->device, "net_tap", 7);
		if (p->tap && config->n_workers > BOOT_MAX_TAP)
			return refuse(c, p->line, "port %s: a tap serves %d workers, there are %u",
				      p->name, BOOT_MAX_TAP, config->n_workers);
		for (unsigned int k = 0; k < i; k++) {
			const struct boot_port *q = &config->port[k];

			if (!strcmp(p->name, q->name))
				return refuse(c, p->line, "port %s: line %u has that name already",
					      p->name, q->line);
			if (same_device(p->device, q->device))
				return refuse(c, p->line, "port %s: port %s has the device %.*s",
					      p->name, q->name, (int)device_name_len(p->device),
					      p->device);
		}
	}
	return 0;
}

static int check_workers(const struct complaint *c, const struct boot_config *config)
{
	cpu_set_t usable;

	CPU_ZERO(&usable);
	if (sched_getaffinity(0, sizeof(usable), &usable))
		return refuse(c, config->line, "CPUs of this machine: %s", strerror(errno));
	for (unsigned int i = 0; i < config->n_workers; i++) {
		const struct boot_worker *w = &config->worker[i];

		if (!CPU_ISSET(w->cpu, &usable))
			return refuse(c, w->line,
				      "worker %u: CPU %u is not there or not ours to use", i,
				      w->cpu);
	}
	return 0;
}

/* EAL's sockets are <runtime dir>/dpdk/<instance>/mp_socket_<pid>_<time>, of 107 characters. */
static int check_paths(const struct complaint *c, const struct boot_config *config)
{
	size_t len = strlen(config->runtime_dir) + strlen(config->instance);

	if (len > BOOT_SOCKET_LEN)
		return refuse(c, config->line,
			      "runtime-directory and instance: %zu characters together, at most %d "
			      "make a socket's name",
			      len, BOOT_SOCKET_LEN);
	return 0;
}

/*
 * Every buffer may be held at once by device queues, redirect rings and bursts; what is left
 * must still serve a burst on each port.
 */
static int check_buffers(const struct complaint *c, const struct boot_config *config)
{
	uint32_t held = 4 * SL_BURST + (config->n_workers - 1) * SL_REDIRECT_RING;

	for (unsigned int i = 0; i < config->n_ports; i++)
		held += 2 * (boot_port_descriptors(&config->port[i]) + SL_BURST);
	if (config->limits.buffers < held)
		return refuse(c, config->limits.line,
			      "buffers: %u are too few: queues of %u ports and rings between %u "
			      "workers can hold %u",
			      config->limits.buffers, config->n_ports, config->n_workers, held);
	return 0;
}

uint32_t boot_port_descriptors(const struct boot_port *port)
{
	return port->tap ? 1 : port->descriptors;
}

int boot_config_load(const char *path, struct boot_config *config, char *why, size_t why_len)
{
	const struct complaint c = {.path = path, .why = why, .why_len = why_len};
	int rc;

	memset(config, 0, sizeof(*config));
	rc = sl_boot_yaml_load(path, &top_table, config, why, why_len);
	if (!rc)
		rc = check_paths(&c, config);
	if (!rc)
		rc = check_ports(&c, config);
	if (!rc)
		rc = check_workers(&c, config);
	if (!rc)
		rc = check_buffers(&c, config);
	return rc;
}
