/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ipvsadm personality: `sluicectl ipvsadm ...`, or sluicectl by the name of ipvsadm.
 *
 *   options.c     the command line, as ipvsadm 1.31 reads it, with popt as it does; values.c what
 *                 its options mean, fit.c which of them go together
 *   address.c     hosts, ports, and how they are printed
 *   config.c      the appliance's configuration, as virtual services and real servers
 *   map.c         names of schedulers and forwarding methods, here and there
 *   change.c      commands that change it; laddr.c DPVS's local addresses
 *   list.c        listings; connections.c that of -c; save.c the rules as commands
 *   ipvsadm.c     the way from a command line to all these, and -R
 *
 * A change is made to a copy of the whole configuration, which is then applied under its etag, and
 * made again if somebody else was faster. So each command, and the whole of -R, happens or not.
 *
 * What ipvsadm prints was recorded from the real one (tests/ipvsadm). Our refusals begin with
 * its sentence, where it has one, and may say more. Exit codes are its own: 2 for wrong usage and
 * when nobody is there to ask, 255 (-1) for what is refused, 1 for a service that is not there to
 * be listed.
 */
#ifndef CLIENT_IPVSADM_IPVSADM_H
#define CLIENT_IPVSADM_IPVSADM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <netinet/in.h>

#include "ctrl/client/client.h"

#define IPVS_OK        0
#define IPVS_NOT_THERE 1
#define IPVS_USAGE     2
#define IPVS_NO_DAEMON 2
#define IPVS_REFUSED   255

enum ipvs_command {
	IPVS_ADD_SERVICE,
	IPVS_EDIT_SERVICE,
	IPVS_DELETE_SERVICE,
	IPVS_FLUSH,
	IPVS_RESTORE,
	IPVS_SAVE,
	IPVS_ADD_SERVER,
	IPVS_EDIT_SERVER,
	IPVS_DELETE_SERVER,
	IPVS_LIST,
	IPVS_ZERO,
	IPVS_SET,
	IPVS_START_DAEMON,
	IPVS_STOP_DAEMON,
	IPVS_ADD_LADDR,
	IPVS_DELETE_LADDR,
	IPVS_LIST_LADDR,
	IPVS_HELP,
	IPVS_VERSION,
	IPVS_COMMANDS
};

/* Options, as bits. */
#define IPVS_SERVICE         0x00000001
#define IPVS_SERVER          0x00000002
#define IPVS_SCHEDULER       0x00000004
#define IPVS_METHOD          0x00000008
#define IPVS_WEIGHT          0x00000010
#define IPVS_NUMERIC         0x00000020
#define IPVS_CONNECTION      0x00000040
#define IPVS_TIMEOUT         0x00000080
#define IPVS_STATS           0x00000100
#define IPVS_RATE            0x00000200
#define IPVS_EXACT           0x00000400
#define IPVS_THRESHOLDS      0x00000800
#define IPVS_PERSISTENT_CONN 0x00001000
#define IPVS_NOSORT          0x00002000
#define IPVS_LADDR           0x00004000
#define IPVS_DAEMON          0x00008000
#define IPVS_TUN_INFO        0x00010000
#define IPVS_PERSISTENT      0x00020000
#define IPVS_NETMASK         0x00040000
#define IPVS_UTHRESHOLD      0x00080000
#define IPVS_LTHRESHOLD      0x00100000
#define IPVS_SCHED_FLAGS     0x00400000
#define IPVS_TUN_TYPE        0x01000000
#define IPVS_TUN_PORT        0x02000000
#define IPVS_TUN_NOCSUM      0x04000000
#define IPVS_TUN_CSUM        0x40000000
#define IPVS_TUN             (IPVS_TUN_TYPE | IPVS_TUN_PORT | IPVS_TUN_NOCSUM | IPVS_TUN_CSUM)
/* Known to ipvsadm, and not to us. */
#define IPVS_OPS         0x00200000
#define IPVS_PE          0x00800000
#define IPVS_SYNC        0x08000000
#define IPVS_IPV6        0x10000000
#define IPVS_TUN_REMCSUM 0x80000000
/* Ours. */
#define IPVS_LADDR_POOL 0x20000000

struct ipvs_endpoint {
	const char *protocol; /* of the API: "PROTOCOL_TCP"; NULL for a server's */
	char address[INET6_ADDRSTRLEN];
	bool has_port; /* else the port is 0 */
	unsigned int port;
};

/* One command line. */
struct ipvs_request {
	enum ipvs_command command;
	unsigned int given; /* options */
	struct ipvs_endpoint service, server;
	char laddr[INET6_ADDRSTRLEN];
	char laddr_pool[64]; /* a local address pool's name; "" when not given */
	char scheduler[32];  /* ipvsadm's name */
	char flags[64];      /* of -b, as given */
	const struct ipvs_method *method;
	char tunnel[8];           /* of --tun-type */
	unsigned int tunnel_port; /* of GUE; 0: none was given */
	long weight;
	unsigned int upper, lower; /* thresholds; 0: none was given */
	bool by_port;              /* of -b: hashed by address and port */
	unsigned int persistence;  /* seconds; 0: none */
	char netmask[64];          /* of -M, as given */
	unsigned int prefix;       /* that it comes to; 0: none was given */
	unsigned int timeout[3];   /* of --set: tcp, tcpfin, udp; 0 is as it was */
};

/* ---- map.c ---- */

/* How a packet gets to a real server. */
struct ipvs_method {
	const char *mode;   /* of the API's enum ForwardingMode, in short */
	const char *option; /* as -S prints it */
	const char *shown;  /* as -L does */
	const char *tunnel; /* of --tun-type; NULL: is none */
	bool keeps_port;    /* the real server's port is the service's */
	bool needs_local;   /* local addresses */
};

extern const struct ipvs_method ipvs_methods[]; /* ends with a mode of NULL; the first: ipvsadm's */

const struct ipvs_method *ipvs_method_by_mode(const char *mode);
/* By what --tun-type says; NULL: there is none. */
const struct ipvs_method *ipvs_tunnel(const char *type);
/* The UDP port of a backend's GUE. */
unsigned int ipvs_gue_port(json_t *backend);
/* Whether GUE to this address has a UDP checksum: over IPv6, where it must (RFC 8200 8.1). */
bool ipvs_gue_checksum(const char *address);

/* The API's value ("SCHEDULER_WRR") in `value`; false when there is none. */
bool ipvs_scheduler_value(const char *name, char *value, size_t size);
/* The schedulers that there are: "rr, wrr". */
const char *ipvs_schedulers(char *buffer, size_t size);
/* The name of the API's value, or of what an absent one stands for. */
const char *ipvs_scheduler_name(const char *value, char *buffer, size_t size);
/* What -b says of a virtual server ("sh-port"), or "". */
const char *ipvs_scheduler_flags(json_t *service);
/*
 * A backend's limits as ipvsadm's thresholds. Its lower one, when none is set, is three quarters of
 * the upper, in the kernel as here; so that is shown as none.
 */
unsigned int ipvs_upper_threshold(json_t *backend);
unsigned int ipvs_lower_threshold(json_t *backend);
/* The resume_percent that comes to `lower` of `upper`; 0: none does. */
unsigned int ipvs_resume_percent(unsigned int upper, unsigned int lower);
/* Seconds; 0: the service has none. */
unsigned int ipvs_persistence(json_t *service);
/* `prefix` 0: of each client address by itself; `seconds` 0: none. */
void ipvs_set_persistence(json_t *service, unsigned int seconds, unsigned int prefix);
/* As -M has it: "255.255.255.0", of IPv6 "64". False when it is each address by itself. */
bool ipvs_netmask(json_t *service, char *buffer, size_t size);
/* The length of a mask in host byte order; 0: it is none of 1 to 32 bits. */
unsigned int ipvs_prefix_of(uint32_t mask);

/* ---- options.c ---- */

/* IPVS_OK, or an exit code, the reason being on standard error. argv[0] is the program. */
int ipvs_parse(int argc, char **argv, struct ipvs_request *request);
void ipvs_help(FILE *to);
/* An option's name in messages, by its bit. */
const char *ipvs_option_said(unsigned int bit);

/* ---- values.c: the same answers; `text` is the option's argument ---- */

int ipvs_read_value(struct ipvs_request *request, unsigned int bit, char letter, const char *text);
/* Defaults, when all options are read. */
void ipvs_fill_in(struct ipvs_request *request);
/* What a mask and flags come to, after that. */
int ipvs_resolve(struct ipvs_request *request);
/* The three numbers of --set; `text` NULL: there is none. */
int ipvs_read_timeout(const char *text, unsigned int *seconds);

/* ---- fit.c: the same answers ---- */

/* Options that a command wants, and those that it takes besides. */
int ipvs_check_options(const struct ipvs_request *request, const char *command, unsigned int wants,
		       unsigned int takes);

/* Wrong usage: the sentence, and ipvsadm's exit code. */
#define IPVS_WRONG(...) (ipvs_refuse(__VA_ARGS__), IPVS_USAGE)

/* ---- address.c ---- */

/* "host[:port]" or "[address]:port"; a port that is absent is 0. False when it is none. */
bool ipvs_read_endpoint(const char *text, const char *protocol, struct ipvs_endpoint *endpoint);
bool ipvs_same_address(const char *a, const char *b);
bool ipvs_is_six(const char *address); /* of IPv6 */
/* As ipvsadm orders them: by address, then port. */
int ipvs_compare_endpoints(const char *address_a, unsigned int port_a, const char *address_b,
			   unsigned int port_b);
/* "192.0.2.1:80"; by names (of "tcp" or "udp") unless `numeric`. */
void ipvs_print_endpoint(char *buffer, size_t size, const char *address, unsigned int port,
			 const char *protocol, bool numeric);

/* ---- config.c ---- */

/* A sentence to standard error, behind "line N: " within -R; returns IPVS_REFUSED. */
int ipvs_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern unsigned int ipvs_line; /* of -R; 0 outside */

/* The daemon's configuration; NULL after a complaint. */
json_t *ipvs_config_load(const struct client *client);
/* Give it back (taken over). `again`: somebody else has changed it, so nothing was said. */
int ipvs_config_store(const struct client *client, json_t *config, const char *comment,
		      bool *again);

/* One of its lists; made when it is not there. Borrowed. */
json_t *ipvs_list_of(json_t *object, const char *field);
/* The element of that name, or NULL. */
json_t *ipvs_named(json_t *list, const char *name);
void ipvs_remove(json_t *list, json_t *element);
const char *ipvs_text(json_t *object, const char *field); /* "" when absent */
unsigned int ipvs_number(json_t *object, const char *field);

/* The virtual server of an address, port and protocol; its pool; the pool's backend. Or NULL. */
json_t *ipvs_find_service(json_t *config, const struct ipvs_endpoint *service);
json_t *ipvs_pool_of(json_t *config, json_t *service);
json_t *ipvs_find_server(json_t *pool, const struct ipvs_endpoint *server);
/* Whether it has more than one port or endpoint, all ports of one address apart. */
bool ipvs_is_group(json_t *service);
/* How many virtual servers have `name` in `field` (a pool). */
unsigned int ipvs_users(json_t *config, const char *field, const char *name);
/* How a backend of the pool is reached. */
const struct ipvs_method *ipvs_method_of(json_t *pool, json_t *backend);
/* "tcp-192-0-2-1-80", with "-2", ... behind it when that is taken in the list. */
void ipvs_make_name(char *buffer, size_t size, json_t *list, const struct ipvs_endpoint *endpoint);

/* ---- the commands; each returns an exit code ---- */

/* Change the configuration in memory. */
int ipvs_change(json_t *config, const struct ipvs_request *request);
int ipvs_change_laddr(json_t *config, const struct ipvs_request *request);

int ipvs_list(const struct client *client, const struct ipvs_request *request);
int ipvs_list_laddr(const struct client *client, const struct ipvs_request *request);
int ipvs_list_connections(const struct client *client, const struct ipvs_request *request);
int ipvs_list_timeouts(const struct client *client);
int ipvs_save(const struct client *client, bool numeric);
/* Seconds that a state lasts ("tcpEstablished", "udp"): what is set, or the default. */
unsigned int ipvs_timeout(json_t *config, const char *field);

/* Virtual servers, or the backends of a pool, in the order of listings. A new array. */
json_t *ipvs_sorted_services(json_t *config, bool sort);
json_t *ipvs_sorted_servers(json_t *pool, bool sort);

/* The whole: argv[0] is the program. */
int ipvsadm_main(const struct client *client, int argc, char **argv);

#endif
