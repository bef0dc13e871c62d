/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stand-in for the kernel's IPVS, so that the real ipvsadm can be run, and what it prints
 * recorded, on a kernel without: preloaded into it, this takes the place of libnl's sending and
 * receiving, and answers IPVS's generic netlink commands (<linux/ip_vs.h>) out of a table in the
 * file that IPVS_STATE names.
 *
 * With IPVS_TRAFFIC in the environment every service and server has counted something, and
 * /proc/net/ip_vs_conn is the file that it names.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>

#define SERVICES_MAX 32
#define SERVERS_MAX  32
#define FAMILY       0x20 /* any */

struct server {
	uint8_t address[16];
	uint16_t family, port; /* the port in network byte order */
	uint32_t method, upper, lower;
	int32_t weight;
	uint8_t tunnel;
	uint16_t tunnel_port, tunnel_flags;
};

struct service {
	uint8_t address[16];
	uint16_t family, protocol, port;
	uint32_t mark, flags, timeout, netmask;
	char scheduler[IP_VS_SCHEDNAME_MAXLEN], engine[IP_VS_PENAME_MAXLEN];
	unsigned int n;
	struct server server[SERVERS_MAX];
};

static struct {
	unsigned int n;
	struct service service[SERVICES_MAX];
	uint32_t timeout[3]; /* tcp, tcpfin, udp */
} table;

static void load(void)
{
	int fd = open(getenv("IPVS_STATE"), O_RDONLY);

	memcpy(table.timeout, (uint32_t[]){900, 120, 300},
	       sizeof(table.timeout)); /* the kernel's */
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

/* ---- libnl, as much as is called here; its headers are not needed to run ipvsadm ---- */

struct nl_msg;
struct nl_sock;
struct sockaddr_nl;
typedef int (*receive_fn)(struct nl_msg *msg, void *arg);
typedef int (*refuse_fn)(struct sockaddr_nl *from, struct nlmsgerr *why, void *arg);

struct nl_msg *nlmsg_alloc(void);
void nlmsg_free(struct nl_msg *msg);
struct nlmsghdr *nlmsg_hdr(struct nl_msg *msg);
void *genlmsg_put(struct nl_msg *msg, uint32_t port, uint32_t sequence, int family, int header,
		  int flags, uint8_t command, uint8_t version);
int nla_put(struct nl_msg *msg, int type, int len, const void *data);
struct nlattr *nla_nest_start(struct nl_msg *msg, int type);
int nla_nest_end(struct nl_msg *msg, struct nlattr *start);

static receive_fn receive; /* ipvsadm's, for each message of an answer */
static refuse_fn refuse;   /* ipvsadm's, for an error */
static void *receive_arg, *refuse_arg;
static int result; /* of the command that was sent: 0 or an errno */

/* The attributes of a message or of one attribute, by type. */
static void parse(const struct nlattr *first, size_t len, const struct nlattr **by_type, int most)
{
	const struct nlattr *a = first;

	memset(by_type, 0, (size_t)(most + 1) * sizeof(*by_type));
	while (len >= sizeof(*a) && a->nla_len >= sizeof(*a) && a->nla_len <= len) {
		size_t step = NLA_ALIGN(a->nla_len);
		int type = a->nla_type & NLA_TYPE_MASK;

		if (type <= most)
			by_type[type] = a;
		len -= step < len ? step : len;
		a = (const void *)((const char *)a + step);
	}
}

static void parse_nested(const struct nlattr *a, const struct nlattr **by_type, int most)
{
	parse(a ? (const void *)(a + 1) : NULL, a ? a->nla_len - sizeof(*a) : 0, by_type, most);
}

/* What is absent leaves the value as it was. */
static void take(const struct nlattr *a, void *value, size_t size)
{
	size_t len = a ? a->nla_len - sizeof(*a) : 0;

	if (a)
		memcpy(value, a + 1, len < size ? len : size);
}

#define PUT(msg, type, value) nla_put(msg, type, sizeof(value), &(value))

/* ---- looking up ---- */

static struct service *find_service(const struct service *s)
{
	for (unsigned int i = 0; i < table.n; i++) {
		struct service *t = &table.service[i];

		if (t->family == s->family && t->mark == s->mark &&
		    (s->mark || (t->protocol == s->protocol && t->port == s->port &&
				 memcmp(t->address, s->address, sizeof(s->address)) == 0)))
			return t;
	}
	return NULL;
}

static struct server *find_server(struct service *service, const struct server *d)
{
	for (unsigned int i = 0; i < service->n; i++) {
		struct server *t = &service->server[i];

		if (t->family == d->family && t->port == d->port &&
		    memcmp(t->address, d->address, sizeof(d->address)) == 0)
			return t;
	}
	return NULL;
}

static bool good_scheduler(const char *name)
{
	static const char *const known[] = {"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh",
					    "sh", "sed", "nq", "fo",  "ovf",  "mh"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i], name) == 0)
			return true;
	return false;
}

/* ---- what changes the table; each returns 0 or an errno ---- */

static void read_service(const struct nlattr *from, struct service *s)
{
	const struct nlattr *a[IPVS_SVC_ATTR_MAX + 1];
	struct ip_vs_flags flags = {0};

	parse_nested(from, a, IPVS_SVC_ATTR_MAX);
	take(a[IPVS_SVC_ATTR_AF], &s->family, sizeof(s->family));
	take(a[IPVS_SVC_ATTR_PROTOCOL], &s->protocol, sizeof(s->protocol));
	take(a[IPVS_SVC_ATTR_ADDR], s->address, s->family == AF_INET6 ? 16 : 4);
	take(a[IPVS_SVC_ATTR_PORT], &s->port, sizeof(s->port));
	take(a[IPVS_SVC_ATTR_FWMARK], &s->mark, sizeof(s->mark));
	take(a[IPVS_SVC_ATTR_SCHED_NAME], s->scheduler, sizeof(s->scheduler) - 1);
	take(a[IPVS_SVC_ATTR_PE_NAME], s->engine, sizeof(s->engine) - 1);
	take(a[IPVS_SVC_ATTR_FLAGS], &flags, sizeof(flags));
	s->flags = flags.flags & flags.mask;
	take(a[IPVS_SVC_ATTR_TIMEOUT], &s->timeout, sizeof(s->timeout));
	take(a[IPVS_SVC_ATTR_NETMASK], &s->netmask, sizeof(s->netmask));
}

static void read_server(const struct nlattr *from, uint16_t family, struct server *d)
{
	const struct nlattr *a[IPVS_DEST_ATTR_MAX + 1];

	parse_nested(from, a, IPVS_DEST_ATTR_MAX);
	d->family = family;
	take(a[IPVS_DEST_ATTR_ADDR_FAMILY], &d->family, sizeof(d->family));
	take(a[IPVS_DEST_ATTR_ADDR], d->address, d->family == AF_INET6 ? 16 : 4);
	take(a[IPVS_DEST_ATTR_PORT], &d->port, sizeof(d->port));
	take(a[IPVS_DEST_ATTR_FWD_METHOD], &d->method, sizeof(d->method));
	take(a[IPVS_DEST_ATTR_WEIGHT], &d->weight, sizeof(d->weight));
	take(a[IPVS_DEST_ATTR_U_THRESH], &d->upper, sizeof(d->upper));
	take(a[IPVS_DEST_ATTR_L_THRESH], &d->lower, sizeof(d->lower));
	take(a[IPVS_DEST_ATTR_TUN_TYPE], &d->tunnel, sizeof(d->tunnel));
	take(a[IPVS_DEST_ATTR_TUN_PORT], &d->tunnel_port, sizeof(d->tunnel_port));
	take(a[IPVS_DEST_ATTR_TUN_FLAGS], &d->tunnel_flags, sizeof(d->tunnel_flags));
}

/* The kernel lists what was added last first. */
static int add_service(const struct service *s)
{
	if (table.n == SERVICES_MAX)
		return ENOMEM;
	memmove(&table.service[1], &table.service[0], table.n * sizeof(table.service[0]));
	table.service[0] = *s;
	table.n++;
	return 0;
}

static int edit_service(struct service *found, const struct service *s)
{
	found->flags = s->flags;
	found->timeout = s->timeout;
	found->netmask = s->netmask;
	memcpy(found->scheduler, s->scheduler, sizeof(found->scheduler));
	memcpy(found->engine, s->engine, sizeof(found->engine));
	return 0;
}

static int delete_service(struct service *found)
{
	size_t after = (size_t)(&table.service[--table.n] - found);

	memmove(found, found + 1, after * sizeof(*found));
	return 0;
}

static int change_service(int command, const struct service *s)
{
	struct service *found = find_service(s);

	if (command == IPVS_CMD_NEW_SERVICE && found)
		return EEXIST;
	if (command != IPVS_CMD_NEW_SERVICE && !found)
		return ESRCH;
	if (command == IPVS_CMD_DEL_SERVICE)
		return delete_service(found);
	if (!good_scheduler(s->scheduler))
		return ENOENT;
	if (s->family == AF_INET6 && (s->netmask < 1 || s->netmask > 128))
		return EINVAL;
	return command == IPVS_CMD_NEW_SERVICE ? add_service(s) : edit_service(found, s);
}

static int change_server(int command, const struct service *s, const struct server *d)
{
	struct service *service = find_service(s);
	struct server *found = service ? find_server(service, d) : NULL;

	if (!service)
		return ESRCH;
	if (command == IPVS_CMD_NEW_DEST && found)
		return EEXIST;
	if (command != IPVS_CMD_NEW_DEST && !found)
		return ENOENT;
	if (command == IPVS_CMD_DEL_DEST) {
		memmove(found, found + 1,
			(size_t)(&service->server[--service->n] - found) * sizeof(*found));
		return 0;
	}
	if (d->family != s->family && d->method != IP_VS_CONN_F_TUNNEL)
		return EINVAL;
	if (d->weight < 0 || d->lower > d->upper)
		return ERANGE;
	*(found ? found : &service->server[service->n++]) = *d;
	return 0;
}

static int set_timeouts(const struct nlattr **a)
{
	for (int i = 0; i < 3; i++) {
		uint32_t seconds = 0;

		take(a[IPVS_CMD_ATTR_TIMEOUT_TCP + i], &seconds, sizeof(seconds));
		if (seconds)
			table.timeout[i] = seconds;
	}
	return 0;
}

/* ---- what asks for it ---- */

static void put_stats(struct nl_msg *msg, int type, uint64_t scale)
{
	static const uint64_t seen[] = {0,  1234, 56789,  45678901, 7890123456, 123456789012345,
					12, 567,  456789, 78901234, 123456789};
	struct nlattr *nest = nla_nest_start(msg, type);

	for (int i = IPVS_STATS_ATTR_CONNS; i <= IPVS_STATS_ATTR_OUTBPS; i++) {
		uint64_t number = getenv("IPVS_TRAFFIC") ? seen[i] * scale : 0;

		PUT(msg, i, number);
	}
	nla_nest_end(msg, nest);
}

static void put_service(struct nl_msg *msg, const struct service *s)
{
	struct nlattr *nest = nla_nest_start(msg, IPVS_CMD_ATTR_SERVICE);
	struct ip_vs_flags flags = {s->flags | IP_VS_SVC_F_HASHED, ~0u};

	PUT(msg, IPVS_SVC_ATTR_AF, s->family);
	PUT(msg, IPVS_SVC_ATTR_PROTOCOL, s->protocol);
	PUT(msg, IPVS_SVC_ATTR_ADDR, s->address);
	PUT(msg, IPVS_SVC_ATTR_PORT, s->port);
	if (s->mark)
		PUT(msg, IPVS_SVC_ATTR_FWMARK, s->mark);
	PUT(msg, IPVS_SVC_ATTR_SCHED_NAME, s->scheduler);
	if (*s->engine)
		PUT(msg, IPVS_SVC_ATTR_PE_NAME, s->engine);
	PUT(msg, IPVS_SVC_ATTR_FLAGS, flags);
	PUT(msg, IPVS_SVC_ATTR_TIMEOUT, s->timeout);
	PUT(msg, IPVS_SVC_ATTR_NETMASK, s->netmask);
	put_stats(msg, IPVS_SVC_ATTR_STATS64, s->n);
	nla_nest_end(msg, nest);
}

static void put_server(struct nl_msg *msg, const struct server *d)
{
	struct nlattr *nest = nla_nest_start(msg, IPVS_CMD_ATTR_DEST);
	uint32_t active = getenv("IPVS_TRAFFIC") ? 17 : 0, inactive = active ? 4 : 0;
	uint32_t persistent = 0;

	PUT(msg, IPVS_DEST_ATTR_ADDR_FAMILY, d->family);
	PUT(msg, IPVS_DEST_ATTR_ADDR, d->address);
	PUT(msg, IPVS_DEST_ATTR_PORT, d->port);
	PUT(msg, IPVS_DEST_ATTR_FWD_METHOD, d->method);
	PUT(msg, IPVS_DEST_ATTR_WEIGHT, d->weight);
	PUT(msg, IPVS_DEST_ATTR_U_THRESH, d->upper);
	PUT(msg, IPVS_DEST_ATTR_L_THRESH, d->lower);
	PUT(msg, IPVS_DEST_ATTR_ACTIVE_CONNS, active);
	PUT(msg, IPVS_DEST_ATTR_INACT_CONNS, inactive);
	PUT(msg, IPVS_DEST_ATTR_PERSIST_CONNS, persistent);
	PUT(msg, IPVS_DEST_ATTR_TUN_TYPE, d->tunnel);
	PUT(msg, IPVS_DEST_ATTR_TUN_PORT, d->tunnel_port);
	PUT(msg, IPVS_DEST_ATTR_TUN_FLAGS, d->tunnel_flags);
	put_stats(msg, IPVS_DEST_ATTR_STATS64, 1);
	nla_nest_end(msg, nest);
}

static struct nl_msg *answer(int command)
{
	struct nl_msg *msg = nlmsg_alloc();

	genlmsg_put(msg, 0, 0, FAMILY, 0, 0, (uint8_t)command, IPVS_GENL_VERSION);
	return msg;
}

static void give(struct nl_msg *msg)
{
	receive(msg, receive_arg);
	nlmsg_free(msg);
}

static int show_services(bool all, const struct service *s)
{
	const struct service *found = all ? NULL : find_service(s);

	if (!all && !found)
		return ESRCH;
	for (unsigned int i = 0; i < table.n; i++)
		if (all || found == &table.service[i]) {
			struct nl_msg *msg = answer(IPVS_CMD_NEW_SERVICE);

			put_service(msg, &table.service[i]);
			give(msg);
		}
	return 0;
}

static int show_servers(const struct service *s)
{
	const struct service *found = find_service(s);

	for (unsigned int i = 0; found && i < found->n; i++) {
		struct nl_msg *msg = answer(IPVS_CMD_NEW_DEST);

		put_server(msg, &found->server[i]);
		give(msg);
	}
	return found ? 0 : ESRCH;
}

static int show_info(void)
{
	struct nl_msg *msg = answer(IPVS_CMD_SET_INFO);
	uint32_t version = 0x010201, size = 4096;

	PUT(msg, IPVS_INFO_ATTR_VERSION, version);
	PUT(msg, IPVS_INFO_ATTR_CONN_TAB_SIZE, size);
	give(msg);
	return 0;
}

static int show_timeouts(void)
{
	struct nl_msg *msg = answer(IPVS_CMD_SET_CONFIG);

	for (int i = 0; i < 3; i++)
		PUT(msg, IPVS_CMD_ATTR_TIMEOUT_TCP + i, table.timeout[i]);
	give(msg);
	return 0;
}

static int execute(int command, const struct nlattr **a, bool dump)
{
	struct service s = {0};
	struct server d = {0};

	read_service(a[IPVS_CMD_ATTR_SERVICE], &s);
	read_server(a[IPVS_CMD_ATTR_DEST], s.family, &d);
	switch (command) {
	case IPVS_CMD_NEW_SERVICE:
	case IPVS_CMD_SET_SERVICE:
	case IPVS_CMD_DEL_SERVICE: return change_service(command, &s);
	case IPVS_CMD_NEW_DEST:
	case IPVS_CMD_SET_DEST:
	case IPVS_CMD_DEL_DEST: return change_server(command, &s, &d);
	case IPVS_CMD_FLUSH: table.n = 0; return 0;
	case IPVS_CMD_ZERO: return a[IPVS_CMD_ATTR_SERVICE] && !find_service(&s) ? ESRCH : 0;
	case IPVS_CMD_SET_CONFIG: return set_timeouts(a);
	case IPVS_CMD_GET_SERVICE: return show_services(dump, &s);
	case IPVS_CMD_GET_DEST: return show_servers(&s);
	case IPVS_CMD_GET_CONFIG: return show_timeouts();
	case IPVS_CMD_GET_INFO: return show_info();
	case IPVS_CMD_GET_DAEMON: return 0; /* none runs */
	default: return EINVAL;
	}
}

/* ---- what ipvsadm calls ---- */

int genl_connect(struct nl_sock *sock)
{
	(void)sock;
	return 0;
}

int genl_ctrl_resolve(struct nl_sock *sock, const char *name)
{
	(void)sock;
	(void)name;
	return FAMILY;
}

int nl_socket_modify_cb(struct nl_sock *sock, int type, int kind, receive_fn function, void *arg)
{
	(void)sock;
	(void)type;
	(void)kind;
	receive = function;
	receive_arg = arg;
	return 0;
}

int nl_socket_modify_err_cb(struct nl_sock *sock, int kind, refuse_fn function, void *arg)
{
	(void)sock;
	(void)kind;
	refuse = function;
	refuse_arg = arg;
	return 0;
}

int nl_send_auto_complete(struct nl_sock *sock, struct nl_msg *msg)
{
	const struct nlmsghdr *header = nlmsg_hdr(msg);
	const struct genlmsghdr *command = NLMSG_DATA(header);
	const struct nlattr *a[IPVS_CMD_ATTR_MAX + 1];

	(void)sock;
	parse((const void *)(command + 1), NLMSG_PAYLOAD(header, sizeof(*command)), a,
	      IPVS_CMD_ATTR_MAX);
	load();
	result = execute(command->cmd, a, header->nlmsg_flags & NLM_F_DUMP);
	if (result == 0)
		save();
	return 0;
}

int nl_recvmsgs_default(struct nl_sock *sock)
{
	struct nlmsgerr why = {.error = -result};

	(void)sock;
	return result ? refuse(NULL, &why, refuse_arg) : 0;
}

FILE *fopen(const char *path, const char *mode)
{
	FILE *(*real)(const char *, const char *) = dlsym(RTLD_NEXT, "fopen");

	if (strcmp(path, "/proc/net/ip_vs_conn") == 0 && getenv("IPVS_TRAFFIC"))
		path = getenv("IPVS_TRAFFIC");
	return real(path, mode);
}
