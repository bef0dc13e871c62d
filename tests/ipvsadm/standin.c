/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stand-in for the kernel's IPVS, so that the real ipvsadm can be run, and what it prints
 * recorded, on a kernel without: preloaded into it, this answers IPVS's socket options
 * (<linux/ip_vs.h>) out of a table in the file that IPVS_STATE names. ipvsadm falls back to them
 * when there is no netlink family of that name; IPv6 is only in the latter.
 *
 * With IPVS_TRAFFIC in the environment every service and server has counted something, and
 * /proc/net/ip_vs_conn is the file that it names.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ip_vs.h>

#define SERVICES_MAX 32
#define SERVERS_MAX  32

struct service {
	struct ip_vs_service_user is;
	unsigned int n;
	struct ip_vs_dest_user server[SERVERS_MAX];
};

static struct {
	unsigned int n;
	struct service service[SERVICES_MAX];
	struct ip_vs_timeout_user timeout;
} table;

static void load(void)
{
	int fd = open(getenv("IPVS_STATE"), O_RDONLY);

	table.timeout = (struct ip_vs_timeout_user){900, 120, 300}; /* the kernel's defaults */
	if (fd >= 0 && read(fd, &table, sizeof(table)) != sizeof(table))
		abort();
	close(fd);
}

static void save(void)
{
	int fd = open(getenv("IPVS_STATE"), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (write(fd, &table, sizeof(table)) != sizeof(table))
		abort();
	close(fd);
}

static int refuse(int why)
{
	errno = why;
	return -1;
}

static struct service *find_service(__u16 protocol, __be32 addr, __be16 port, __u32 fwmark)
{
	for (unsigned int i = 0; i < table.n; i++) {
		const struct ip_vs_service_user *s = &table.service[i].is;

		if (fwmark ? s->fwmark == fwmark
			   : s->protocol == protocol && s->addr == addr && s->port == port)
			return &table.service[i];
	}
	return NULL;
}

static struct ip_vs_dest_user *find_server(struct service *service, const struct ip_vs_dest_user *d)
{
	for (unsigned int i = 0; i < service->n; i++)
		if (service->server[i].addr == d->addr && service->server[i].port == d->port)
			return &service->server[i];
	return NULL;
}

static int good_scheduler(const char *name)
{
	static const char *const known[] = {"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh",
					    "sh", "sed", "nq", "fo",  "ovf",  "mh"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i], name) == 0)
			return 1;
	return 0;
}

/* The kernel lists what was added last first. */
static int add_service(const struct ip_vs_service_user *s)
{
	if (table.n == SERVICES_MAX)
		return refuse(ENOMEM);
	memmove(&table.service[1], &table.service[0], table.n * sizeof(table.service[0]));
	memset(&table.service[0], 0, sizeof(table.service[0]));
	table.service[0].is = *s;
	table.n++;
	return 0;
}

static int del_service(struct service *service)
{
	size_t after = (size_t)(&table.service[--table.n] - service);

	memmove(service, service + 1, after * sizeof(*service));
	return 0;
}

static int change_server(int option, struct service *service, const struct ip_vs_dest_user *d)
{
	struct ip_vs_dest_user *found = find_server(service, d);

	if (option != IP_VS_SO_SET_DELDEST && (d->weight < 0 || d->l_threshold > d->u_threshold))
		return refuse(ERANGE);
	switch (option) {
	case IP_VS_SO_SET_ADDDEST:
		if (found)
			return refuse(EEXIST);
		service->server[service->n++] = *d;
		return 0;
	case IP_VS_SO_SET_EDITDEST:
		if (!found)
			return refuse(ENOENT);
		*found = *d;
		return 0;
	default:
		if (!found)
			return refuse(ENOENT);
		memmove(found, found + 1,
			(size_t)(&service->server[--service->n] - found) * sizeof(*found));
		return 0;
	}
}

static int change(int option, const void *value)
{
	const struct ip_vs_service_user *s = value;
	const struct ip_vs_timeout_user *t = value;
	struct service *service;

	switch (option) {
	case IP_VS_SO_SET_FLUSH: table.n = 0; return 0;
	case IP_VS_SO_SET_TIMEOUT:
		table.timeout.tcp_timeout = t->tcp_timeout ?: table.timeout.tcp_timeout;
		table.timeout.tcp_fin_timeout = t->tcp_fin_timeout ?: table.timeout.tcp_fin_timeout;
		table.timeout.udp_timeout = t->udp_timeout ?: table.timeout.udp_timeout;
		return 0;
	case IP_VS_SO_SET_ZERO:
		if (!s->addr && !s->fwmark && !s->port)
			return 0;
	}
	service = find_service(s->protocol, s->addr, s->port, s->fwmark);
	if (option == IP_VS_SO_SET_ADD && service)
		return refuse(EEXIST);
	if (option != IP_VS_SO_SET_ADD && !service)
		return refuse(ESRCH);
	if ((option == IP_VS_SO_SET_ADD || option == IP_VS_SO_SET_EDIT) &&
	    !good_scheduler(s->sched_name))
		return refuse(ENOENT);
	switch (option) {
	case IP_VS_SO_SET_ADD: return add_service(s);
	case IP_VS_SO_SET_EDIT: service->is = *s; return 0;
	case IP_VS_SO_SET_DEL: return del_service(service);
	case IP_VS_SO_SET_ZERO: return 0;
	case IP_VS_SO_SET_ADDDEST:
	case IP_VS_SO_SET_EDITDEST:
	case IP_VS_SO_SET_DELDEST:
		return change_server(option, service, (const struct ip_vs_dest_user *)(s + 1));
	default: return refuse(EINVAL);
	}
}

static struct ip_vs_stats_user traffic(unsigned int scale)
{
	if (!getenv("IPVS_TRAFFIC"))
		return (struct ip_vs_stats_user){0};
	return (struct ip_vs_stats_user){
		.conns = 1234 * scale,
		.inpkts = 56789 * scale,
		.outpkts = 45678901 * scale,
		.inbytes = 7890123456ULL * scale,
		.outbytes = 123456789012345ULL * scale,
		.cps = 12 * scale,
		.inpps = 567 * scale,
		.outpps = 456789 * scale,
		.inbps = 78901234 * scale,
		.outbps = 123456789 * scale,
	};
}

static void show_service(struct ip_vs_service_entry *to, const struct service *s)
{
	to->protocol = s->is.protocol;
	to->addr = s->is.addr;
	to->port = s->is.port;
	to->fwmark = s->is.fwmark;
	memcpy(to->sched_name, s->is.sched_name, sizeof(to->sched_name));
	to->flags = s->is.flags | IP_VS_SVC_F_HASHED;
	to->timeout = s->is.timeout;
	to->netmask = s->is.netmask;
	to->num_dests = s->n;
	to->stats = traffic(s->n);
}

static int show_servers(struct ip_vs_get_dests *to)
{
	const struct service *s = find_service(to->protocol, to->addr, to->port, to->fwmark);

	if (!s)
		return refuse(ESRCH);
	for (unsigned int i = 0; i < s->n; i++) {
		const struct ip_vs_dest_user *d = &s->server[i];

		to->entrytable[i] = (struct ip_vs_dest_entry){
			.addr = d->addr,
			.port = d->port,
			.conn_flags = d->conn_flags,
			.weight = d->weight,
			.u_threshold = d->u_threshold,
			.l_threshold = d->l_threshold,
			.activeconns = getenv("IPVS_TRAFFIC") ? 17 : 0,
			.inactconns = getenv("IPVS_TRAFFIC") ? 4 : 0,
			.stats = traffic(1),
		};
	}
	return 0;
}

static int show(int option, void *value)
{
	struct ip_vs_getinfo *info = value;
	struct ip_vs_get_services *all = value;
	struct ip_vs_service_entry *one = value;
	const struct service *s;

	switch (option) {
	case IP_VS_SO_GET_VERSION: sprintf(value, "IP Virtual Server version 1.2.1"); return 0;
	case IP_VS_SO_GET_INFO: *info = (struct ip_vs_getinfo){0x010201, 4096, table.n}; return 0;
	case IP_VS_SO_GET_SERVICES:
		for (unsigned int i = 0; i < table.n; i++)
			show_service(&all->entrytable[i], &table.service[i]);
		return 0;
	case IP_VS_SO_GET_SERVICE:
		s = find_service(one->protocol, one->addr, one->port, one->fwmark);
		if (!s)
			return refuse(ESRCH);
		show_service(one, s);
		return 0;
	case IP_VS_SO_GET_DESTS: return show_servers(value);
	case IP_VS_SO_GET_TIMEOUT: memcpy(value, &table.timeout, sizeof(table.timeout)); return 0;
	case IP_VS_SO_GET_DAEMON: memset(value, 0, 2 * sizeof(struct ip_vs_daemon_user)); return 0;
	default: return refuse(EINVAL);
	}
}

/* ---- what ipvsadm calls ---- */

int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	int (*real)(int, int, int, const void *, socklen_t) = dlsym(RTLD_NEXT, "setsockopt");
	int result;

	if (level != IPPROTO_IP || option < IP_VS_BASE_CTL || option > IP_VS_SO_SET_MAX)
		return real(fd, level, option, value, len);
	load();
	result = change(option, value);
	if (result == 0)
		save();
	return result;
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
	int (*real)(int, int, int, void *, socklen_t *) = dlsym(RTLD_NEXT, "getsockopt");

	if (level != IPPROTO_IP || option < IP_VS_BASE_CTL || option > IP_VS_SO_GET_MAX)
		return real(fd, level, option, value, len);
	load();
	return show(option, value);
}

FILE *fopen(const char *path, const char *mode)
{
	FILE *(*real)(const char *, const char *) = dlsym(RTLD_NEXT, "fopen");

	if (strcmp(path, "/proc/net/ip_vs_conn") == 0 && getenv("IPVS_TRAFFIC"))
		path = getenv("IPVS_TRAFFIC");
	return real(path, mode);
}
