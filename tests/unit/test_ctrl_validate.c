/* SPDX-License-Identifier: BSD-3-Clause */
/* Each rule that a configuration can break, with the words in which it is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/lib/ctrl_bed.h"

/* A message of a kind, and the reason for which it is refused; NULL: it isn't. */
struct one {
	enum resource_kind kind;
	const char *json;
	const char *reason;
};

#define NAME_RULE \
	"is not a name: 1 to 63 characters of a-z, 0-9 and -, beginning and ending with a letter"

static const struct one ones[] = {
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '192.0.2.1', 'port': 1}", NULL},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '192.0.2.1', 'port': 65535, 'weight': 0}",
	 NULL},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '192.0.2.1', 'port': 1, 'weight': 65535}",
	 NULL},
	{RESOURCE_BACKEND, "{'address': '192.0.2.1', 'port': 1}",
	 "backend_pools[p].backends[].name: is required"},
	{RESOURCE_BACKEND, "{'name': 'B', 'address': '192.0.2.1', 'port': 1}",
	 "backend_pools[p].backends[B].name: \"B\" " NAME_RULE},
	{RESOURCE_BACKEND, "{'name': '-b', 'address': '192.0.2.1', 'port': 1}", NAME_RULE},
	{RESOURCE_BACKEND, "{'name': 'b-', 'address': '192.0.2.1', 'port': 1}", NAME_RULE},
	{RESOURCE_BACKEND, "{'name': 'a/b', 'address': '192.0.2.1', 'port': 1}", NAME_RULE},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '192.0.2.1', 'port': 0}", NULL},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '192.0.2.1', 'port': 65536}",
	 "backend_pools[p].backends[b].port: 65536 is not in 0..65535"},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '192.0.2.1', 'port': 1, 'weight': 65536}",
	 "weight: 65536 is not in 0..65535"},
	{RESOURCE_BACKEND, "{'name': 'b', 'port': 1}", "address: is required"},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '192.0.2', 'port': 1}",
	 "address: \"192.0.2\" is not an IP address"},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '192.0.2.256', 'port': 1}",
	 "is not an IP address"},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '192.0.2.1 ', 'port': 1}",
	 "is not an IP address"},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '0300.0.2.1', 'port': 1}",
	 "is not an IP address"},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '::', 'port': 1}", "is the unspecified"},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '::5', 'port': 1}", "is in ::/96"},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': 'ff05::2', 'port': 1}", "is a multicast"},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': 'fe80::1', 'port': 1}", "is a link-local"},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': 'fe80::1%wan', 'port': 1}", "has a zone"},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '::ffff:192.0.2.1', 'port': 1}",
	 "is an IPv4 address in IPv6's form"},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '2001:db8::1::2', 'port': 1}",
	 "is not an IP address"},
	{RESOURCE_INTERFACE, "{'name': 'wan', 'addresses': ['2001:db8::/64']}", "anycast"},
	{RESOURCE_INTERFACE, "{'name': 'wan', 'addresses': ['2001:db8::1/129']}", "prefix length"},
	{RESOURCE_INTERFACE, "{'name': 'wan', 'addresses': ['2001:db8::1/0']}", "1..128"},
	{RESOURCE_INTERFACE, "{'name': 'wan', 'addresses': ['fe80::1/64']}", "by itself"},
	{RESOURCE_ROUTE, "{'name': 'r', 'prefix': '2001:db8::1/64', 'blackhole': true}",
	 "host bits set"},
	{RESOURCE_ROUTE, "{'name': 'r', 'prefix': 'fe80::/64', 'blackhole': true}", "link-local"},
	{RESOURCE_ROUTE, "{'name': 'r', 'prefix': '2001:db8::/64', 'gateway': '192.0.2.9'}",
	 "is of another family than the prefix"},
	{RESOURCE_ROUTE, "{'name': 'r', 'prefix': '2001:db8::/64', 'gateway': 'fe80::1'}",
	 "has to name an interface"},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '::1', 'port': 1}", "is a loopback address"},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '0.0.0.0', 'port': 1}", "is in 0.0.0.0/8"},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '127.0.0.1', 'port': 1}", "is a loopback"},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '224.0.0.1', 'port': 1}", "is a multicast"},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '239.255.255.255', 'port': 1}", "multicast"},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '240.0.0.1', 'port': 1}", "or reserved"},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '255.255.255.255', 'port': 1}", "broadcast"},

	{RESOURCE_BACKEND_POOL, "{'name': ''}", "name: is required"},
	{RESOURCE_BACKEND_POOL,
	 "{'name': 'a23456789012345678901234567890123456789012345678901234567890123'}", NULL},
	{RESOURCE_BACKEND_POOL,
	 "{'name': 'a234567890123456789012345678901234567890123456789012345678901234'}", NAME_RULE},

	{RESOURCE_LOCAL_ADDRESS_POOL, "{'name': 'l', 'addresses': ['192.0.2.1', '192.0.2.2']}",
	 NULL},
	{RESOURCE_LOCAL_ADDRESS_POOL, "{'name': 'l'}",
	 "local_address_pools[l].addresses: at least one is required"},
	{RESOURCE_LOCAL_ADDRESS_POOL, "{'name': 'l', 'addresses': ['192.0.2.1', '']}",
	 "local_address_pools[l].addresses: is required"},
	{RESOURCE_LOCAL_ADDRESS_POOL,
	 "{'name': 'l', 'addresses': ['192.0.2.1', '192.0.2.2', '192.0.2.1']}",
	 "local_address_pools[l].addresses: 192.0.2.1 is there twice"},
	{RESOURCE_LOCAL_ADDRESS_POOL, "{'name': 'l', 'addresses': ['192.0.2.1/24']}",
	 "is not an IP address"},

	{RESOURCE_INTERFACE, "{'name': 'wan', 'addresses': ['192.0.2.1/24', '10.0.0.1/32']}", NULL},
	{RESOURCE_INTERFACE, "{'name': 'wan', 'addresses': ['192.0.2.0/31']}", NULL},
	{RESOURCE_INTERFACE, "{'addresses': ['192.0.2.1/24']}", "is not a port's name"},
	{RESOURCE_INTERFACE, "{'name': 'wan', 'addresses': ['192.0.2.1']}",
	 "interfaces[wan].addresses: \"192.0.2.1\" is not an address with a prefix length"},
	{RESOURCE_INTERFACE, "{'name': 'wan', 'addresses': ['192.0.2.1/33']}", "prefix length"},
	{RESOURCE_INTERFACE, "{'name': 'wan', 'addresses': ['192.0.2.1/0']}", "not in 1..32"},
	{RESOURCE_INTERFACE, "{'name': 'wan', 'addresses': ['192.0.2.1/024']}", "prefix length"},
	{RESOURCE_INTERFACE, "{'name': 'wan', 'addresses': ['192.0.2.1/-1']}", "prefix length"},
	{RESOURCE_INTERFACE, "{'name': 'wan', 'addresses': ['192.0.2.0/24']}", "network's own"},
	{RESOURCE_INTERFACE, "{'name': 'wan', 'addresses': ['192.0.2.255/24']}", "broadcast"},
	{RESOURCE_INTERFACE, "{'name': 'wan', 'addresses': ['127.0.0.1/8']}", "is a loopback"},

	{RESOURCE_ROUTE, "{'name': 'r', 'prefix': '0.0.0.0/0', 'gateway': '192.0.2.9'}", NULL},
	{RESOURCE_ROUTE, "{'name': 'r', 'prefix': '10.0.0.0/8', 'blackhole': true}", NULL},
	{RESOURCE_ROUTE, "{'name': 'r', 'prefix': '10.0.0.1/8', 'gateway': '192.0.2.9'}",
	 "routes[r].prefix: \"10.0.0.1/8\" has host bits set"},
	{RESOURCE_ROUTE, "{'name': 'r', 'gateway': '192.0.2.9'}", "prefix: \"\" is not an address"},
	{RESOURCE_ROUTE, "{'name': 'r', 'prefix': '10.0.0.0/8'}",
	 "routes[r].gateway: is required, or interface, or blackhole"},
	{RESOURCE_ROUTE, "{'name': 'r', 'prefix': '10.0.0.0/8', 'gateway': '224.0.0.1'}",
	 "routes[r].gateway: \"224.0.0.1\" is a multicast address"},
	{RESOURCE_ROUTE,
	 "{'name': 'r', 'prefix': '10.0.0.0/8', 'blackhole': true, 'interface': 'wan'}",
	 "routes[r].blackhole: excludes gateway and interface"},

	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 1, 'protocol': 'udp', 'scheduler': 'rr',"
	 " 'backendPool': 'b', 'localAddressPool': 'l'}",
	 NULL},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 0, 'protocol': 'tcp',"
	 " 'backendPool': 'b', 'localAddressPool': 'l'}",
	 "virtual_servers[v].port: is required"},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'portEnd': 65535, 'protocol': 'tcp',"
	 " 'backendPool': 'b', 'localAddressPool': 'l'}",
	 NULL},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 65536, 'protocol': 'tcp',"
	 " 'backendPool': 'b', 'localAddressPool': 'l'}",
	 "virtual_servers[v].port: 65536 is not in 0..65535"},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 80, 'portEnd': 65535, 'protocol': 'tcp',"
	 " 'backendPool': 'b', 'endpoints': [{'address': '2001:db8::1', 'portEnd': 65535, "
	 "'protocol': 'udp'}]}",
	 NULL},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 80, 'portEnd': 79, 'protocol': 'tcp',"
	 " 'backendPool': 'b'}",
	 "virtual_servers[v].port_end: 79 is before port, 80"},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'portEnd': 79, 'protocol': 'tcp',"
	 " 'backendPool': 'b'}",
	 "virtual_servers[v].port: is required (every port is port 0 with port_end 65535)"},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 80, 'protocol': 'tcp',"
	 " 'backendPool': 'b', 'endpoints': [{'address': '192.0.2.2', 'port': 80,"
	 " 'protocol': 'udp'}, {'port': 81, 'protocol': 'tcp'}]}",
	 "virtual_servers[v].endpoints[1].address: is required"},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 80, 'protocol': 'tcp',"
	 " 'backendPool': 'b', 'endpoints': [{'address': '192.0.2.2', 'port': 80}]}",
	 "virtual_servers[v].endpoints[0].protocol: is required: tcp or udp"},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 80, 'protocol': 'udp', 'maxMss': 1400,"
	 " 'backendPool': 'b', 'endpoints': [{'address': '192.0.2.2', 'port': 80,"
	 " 'protocol': 'tcp'}]}",
	 NULL},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 1,"
	 " 'backendPool': 'b', 'localAddressPool': 'l'}",
	 "virtual_servers[v].protocol: is required: tcp or udp"},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 1, 'protocol': 17,"
	 " 'backendPool': 'b', 'localAddressPool': 'l'}",
	 "virtual_servers[v].protocol: 17 is not known: tcp or udp"},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 1, 'protocol': 'tcp', 'scheduler': 9,"
	 " 'backendPool': 'b', 'localAddressPool': 'l'}",
	 "virtual_servers[v].scheduler: 9 is not known: rr, wrr, mh, conhash, sh, fo, lc or wlc"},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 1, 'protocol': 'tcp', 'backendPool': 'b',"
	 " 'persistence': {'timeoutSeconds': 86400, 'ipv4PrefixLength': 1,"
	 " 'ipv6PrefixLength': 128}}",
	 NULL},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 1, 'protocol': 'tcp', 'backendPool': 'b',"
	 " 'persistence': {}}",
	 "virtual_servers[v].persistence.timeout_seconds: 0 is not in 1..86400"},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 1, 'protocol': 'tcp', 'backendPool': 'b',"
	 " 'persistence': {'timeoutSeconds': 1, 'ipv4PrefixLength': 33}}",
	 "virtual_servers[v].persistence.ipv4_prefix_length: 33 is not in 1..32"},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 1, 'protocol': 'tcp', 'backendPool': 'b',"
	 " 'persistence': {'timeoutSeconds': 1, 'ipv6PrefixLength': 129}}",
	 "virtual_servers[v].persistence.ipv6_prefix_length: 129 is not in 1..128"},
	{RESOURCE_BACKEND_POOL, "{'name': 'p', 'forwardingMode': 'dr'}", NULL},
	{RESOURCE_BACKEND_POOL, "{'name': 'p', 'forwardingMode': 99}",
	 "backend_pools[p].forwarding_mode: 99 is not known: fullnat, nat, dr, ipip, gre or gue"},
	{RESOURCE_BACKEND_POOL, "{'name': 'p', 'forwardingMode': 'gue'}", NULL},
	{RESOURCE_BACKEND,
	 "{'name': 'b', 'address': '192.0.2.1', 'port': 1, 'forwardingMode': 'gue',"
	 " 'guePort': 65536}",
	 ".gue_port: 65536 is not in 0..65535"},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 1, 'protocol': 'tcp', 'maxMss': 87,"
	 " 'backendPool': 'b'}",
	 "virtual_servers[v].max_mss: 87 is not 0 or in 88..65495"},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 1, 'protocol': 'udp', 'maxMss': 1400,"
	 " 'backendPool': 'b'}",
	 "virtual_servers[v].max_mss: is for tcp"},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '192.0.2.1', 'port': 1, 'forwardingMode': 98}",
	 ".forwarding_mode: 98 is not known: fullnat, nat, dr, ipip, gre or gue"},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 1, 'protocol': 'tcp',"
	 " 'localAddressPool': 'l'}",
	 "virtual_servers[v].backend_pool: is required"},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 1, 'protocol': 'tcp',"
	 " 'backendPool': 'b'}",
	 NULL},

	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 1, 'protocol': 'tcp', 'scheduler': 'wlc', "
	 "'maxConnections': 4294967295,"
	 " 'backendPool': 'b', 'localAddressPool': 'l'}",
	 NULL},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 1, 'protocol': 'udp', 'scheduler': 'mh', "
	 "'hashKey': 'quic_connection_id',"
	 " 'backendPool': 'b', 'localAddressPool': 'l'}",
	 NULL},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 1, 'protocol': 'udp', 'scheduler': "
	 "'conhash', 'hashKey': 'quic_connection_id', 'quicConnectionIdLength': 20,"
	 " 'backendPool': 'b', 'localAddressPool': 'l'}",
	 NULL},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 1, 'protocol': 'tcp', 'hashKey': "
	 "'source_ip',"
	 " 'backendPool': 'b', 'localAddressPool': 'l'}",
	 "virtual_servers[v].hash_key: is for schedulers mh, conhash and sh"},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 1, 'protocol': 'tcp', 'scheduler': 'mh', "
	 "'hashKey': 9,"
	 " 'backendPool': 'b', 'localAddressPool': 'l'}",
	 "virtual_servers[v].hash_key: 9 is not known: source_ip,"},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 1, 'protocol': 'tcp', 'scheduler': 'mh', "
	 "'hashKey': 'quic_connection_id',"
	 " 'backendPool': 'b', 'localAddressPool': 'l'}",
	 "virtual_servers[v].hash_key: quic_connection_id is for protocol udp with"},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 1, 'protocol': 'udp', 'scheduler': 'sh', "
	 "'hashKey': 'quic_connection_id',"
	 " 'backendPool': 'b', 'localAddressPool': 'l'}",
	 "virtual_servers[v].hash_key: quic_connection_id is for protocol udp with"},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 1, 'protocol': 'udp', 'scheduler': 'mh', "
	 "'quicConnectionIdLength': 8,"
	 " 'backendPool': 'b', 'localAddressPool': 'l'}",
	 "virtual_servers[v].quic_connection_id_length: is for hash_key"},
	{RESOURCE_VIRTUAL_SERVER,
	 "{'name': 'v', 'address': '192.0.2.1', 'port': 1, 'protocol': 'udp', 'scheduler': 'mh', "
	 "'hashKey': 'quic_connection_id', 'quicConnectionIdLength': 21,"
	 " 'backendPool': 'b', 'localAddressPool': 'l'}",
	 "virtual_servers[v].quic_connection_id_length: 21 is not in 1..20"},
	{RESOURCE_BACKEND,
	 "{'name': 'b', 'address': '192.0.2.1', 'port': 1, 'maxConnections': 10, 'resumePercent': "
	 "100}",
	 NULL},
	{RESOURCE_BACKEND,
	 "{'name': 'b', 'address': '192.0.2.1', 'port': 1, 'maxConnections': 10, 'resumePercent': "
	 "101}",
	 "resume_percent: 101 is not in 1..100"},
	{RESOURCE_BACKEND, "{'name': 'b', 'address': '192.0.2.1', 'port': 1, 'resumePercent': 10}",
	 "resume_percent: is for a backend with max_connections"},
	{RESOURCE_BACKEND_POOL, "{'name': 'b', 'slowStartSeconds': 3600}", NULL},
	{RESOURCE_BACKEND_POOL, "{'name': 'b', 'slowStartSeconds': 3601}",
	 "backend_pools[b].slow_start_seconds: 3601 is not in 0..3600"},
	{RESOURCE_BACKEND_POOL, "{'name': 'b', 'mhTableSize': 65537}", NULL},
	{RESOURCE_BACKEND_POOL, "{'name': 'b', 'mhTableSize': 65536}",
	 "backend_pools[b].mh_table_size: 65536 is not a prime in 3..4194301"},
	{RESOURCE_BACKEND_POOL, "{'name': 'b', 'mhTableSize': 4194319}",
	 "4194319 is not a prime in"},

	{RESOURCE_TIMEOUTS, "{'udp': 604800}", NULL},
	{RESOURCE_TIMEOUTS, "{'tcpTimeWait': 604801}",
	 "timeouts.tcp_time_wait: 604801 is not in 0..604800 seconds"},
};

static void each_field(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ones) / sizeof(ones[0]); i++) {
		const ProtobufCMessageDescriptor *type = resource_descriptor(ones[i].kind);
		struct problem why = {0};
		struct resource *r =
			resource_new(ones[i].kind, ones[i].kind == RESOURCE_BACKEND ? "p" : NULL,
				     bed_json(type, ones[i].json), &why);

		if (!ones[i].reason && !r)
			fail_msg("%s: %s", ones[i].json, why.text);
		if (ones[i].reason && (r || !strstr(why.text, ones[i].reason)))
			fail_msg("%s: '%s' does not say '%s'", ones[i].json, why.text,
				 ones[i].reason);
		if (ones[i].reason)
			assert_int_equal(why.code, PROBLEM_INVALID_ARGUMENT);
		resource_free(r);
	}
	bed_json_free();
}

/*
 * What concerns several resources: parts of a configuration, which otherwise is right, and
 * how it is refused.
 */
struct many {
	const char *interfaces; /* NULL: the two of below */
	const char *routes;
	const char *locals;
	const char *backends; /* of pool "p" */
	const char *servers;  /* NULL: one, of pool "p" and local pool "l" */
	uint16_t lan_mtu;     /* 0: 9000 */
	enum problem_code code;
	const char *reason;
};

#define WAN_LAN                                                                        \
	"{'name': 'wan', 'addresses': ['192.0.2.1/24']},{'name': 'lan', 'addresses': " \
	"['198.51.100.1/24']}"
#define SERVER(name, endpoint) \
	"{'name': '" name      \
	"', 'protocol': 'tcp', 'backendPool': 'p', 'localAddressPool': 'l', " endpoint "}"
#define BACKEND(name, endpoint) "{'name': '" name "', " endpoint "}"
#define ENDPOINT                "'address': '198.51.100.9', 'port': 80"
#define RANGE                   SERVER("v", "'address': '192.0.2.80', 'port': 80, 'portEnd': 89")
#define OVERLAPPING             SERVER("w", "'address': '192.0.2.80', 'port': 89, 'portEnd': 99")
#define INSIDE                  SERVER("w", "'address': '192.0.2.80', 'port': 85")
#define BEHIND                  SERVER("y", "'address': '192.0.2.80', 'port': 90, 'portEnd': 99")
#define EVERY                   SERVER("x", "'address': '192.0.2.80', 'portEnd': 65535")
#define EVERY_TOO               SERVER("y", "'address': '192.0.2.80', 'port': 0, 'portEnd': 65535")
#define OTHER                   SERVER("w", "'address': '192.0.2.81', 'port': 80")
#define GROUP(address)                                                                         \
	SERVER("v", "'address': '192.0.2.80', 'port': 80, 'endpoints': [{'address': '" address \
		    "', 'port': 80, 'protocol': 'tcp'}]")
#define NO_LOCAL_AT(address)                               \
	"{'name': 'v', 'protocol': 'tcp', 'backendPool': " \
	"'p', 'address': '" address "', 'port': 80}"
#define NO_LOCAL  NO_LOCAL_AT("192.0.2.80")
#define NO_LOCAL6 NO_LOCAL_AT("2001:db8::80")

#define BOTH                                                                  \
	"{'name': 'wan', 'addresses': ['192.0.2.1/24', '2001:db8:1::1/64']}," \
	"{'name': 'lan', 'addresses': ['198.51.100.1/24', '2001:db8:2::1/64']}"
#define SERVER6                                                                         \
	"{'name': 'v', 'protocol': 'tcp', 'backendPool': 'p', 'localAddressPool': 'l'," \
	" 'address': '2001:db8:1::80', 'port': 80}"
#define BACKEND6    BACKEND("s", "'address': '2001:db8:2::9', 'port': 80")
#define LOCALS(all) "{'name': 'l', 'addresses': [" all "]}"

static const struct many manys[] = {
	{0},
	{.servers = SERVER("v", "'address': '192.0.2.1', 'port': 80")}, /* an interface's address */
	{.servers = SERVER("v", "'address': '192.0.2.80', 'port': 80") "," SERVER(
		 "w", "'address': '192.0.2.80', 'port': 81")},
	{.servers = SERVER("v", "'address': '192.0.2.80', 'port': 80") "," SERVER(
		 "w", "'address': '192.0.2.80', 'port': 80"),
	 .code = PROBLEM_ALREADY_EXISTS,
	 .reason =
		 "virtual_servers[w]: 192.0.2.80 port 80 tcp is also served by virtual_servers[v]"},
	{.servers = "{'name': 'v', 'protocol': 'tcp', 'backendPool': 'q', 'localAddressPool': 'l',"
		    "'address': '192.0.2.80', 'port': 80}",
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "virtual_servers[v].backend_pool: there is no backend pool q"},
	{.servers = "{'name': 'v', 'protocol': 'tcp', 'backendPool': 'p', 'localAddressPool': 'q',"
		    "'address': '192.0.2.80', 'port': 80}",
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "virtual_servers[v].local_address_pool: there is no local address pool q"},

	{.servers = RANGE "," INSIDE "," EVERY "," BEHIND},
	{.servers = RANGE "," OVERLAPPING,
	 .code = PROBLEM_ALREADY_EXISTS,
	 .reason = "virtual_servers[w]: 192.0.2.80 ports 89-99 tcp overlaps with 192.0.2.80 ports "
		   "80-89 tcp of virtual_servers[v]"},
	{.servers = EVERY "," EVERY_TOO,
	 .code = PROBLEM_ALREADY_EXISTS,
	 .reason = "192.0.2.80 every port tcp is also served by virtual_servers["},
	{.servers = GROUP("192.0.2.81") "," OTHER,
	 .code = PROBLEM_ALREADY_EXISTS,
	 .reason = "192.0.2.81 port 80 tcp is also served by virtual_servers["},
	{.servers = GROUP("192.0.2.80"),
	 .code = PROBLEM_ALREADY_EXISTS,
	 .reason = "192.0.2.80 port 80 tcp is also served by virtual_servers[v]"},
	{.servers = GROUP("198.51.100.10"),
	 .code = PROBLEM_ALREADY_EXISTS,
	 .reason = "198.51.100.10 is also of virtual_servers[v]"},
	{.servers = GROUP("2001:db8::80")}, /* FullNAT translates */
	{.servers = GROUP("2001:db8::80"),
	 .backends = BACKEND("a", ENDPOINT ", 'forwardingMode': 'nat'"),
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "backend_pools[p].backends[a].address: is an IPv4 one, and mode nat does not "
		   "lead there from virtual_servers[v], which has an IPv6 one: tunnels do"},
	{.servers = NO_LOCAL6, .backends = BACKEND("a", ENDPOINT ", 'forwardingMode': 'ipip'")},
	{.servers = NO_LOCAL6,
	 .backends = BACKEND("a", ENDPOINT ", 'forwardingMode': 'ipip'"),
	 .lan_mtu = 1300},
	{.servers = NO_LOCAL6,
	 .backends = BACKEND("a", ENDPOINT ", 'forwardingMode': 'ipip'"),
	 .lan_mtu = 1299,
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "backend_pools[p].backends[a].address: is behind a link that leaves 1279 bytes "
		   "in a tunnel of mode ipip; virtual_servers[v] is one over IPv6, which wants "
		   "1280"},
	{.servers = NO_LOCAL6,
	 .backends = BACKEND("a", ENDPOINT ", 'forwardingMode': 'gue'"),
	 .lan_mtu = 1311,
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "leaves 1279 bytes in a tunnel of mode gue"},
	{.interfaces = BOTH,
	 .servers = NO_LOCAL6,
	 .backends = BACKEND("a", "'address': '2001:db8:2::9', 'port': 80, "
				  "'forwardingMode': 'gre'"),
	 .lan_mtu = 1323,
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "leaves 1279 bytes in a tunnel of mode gre"},
	{.interfaces = BOTH, .lan_mtu = 1280},
	{.interfaces = BOTH,
	 .lan_mtu = 1279,
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "interfaces[lan].addresses: the port's MTU is 1279, and IPv6 wants 1280"},
	{.lan_mtu = 576},
	{.servers = NO_LOCAL6,
	 .backends = BACKEND("a", ENDPOINT ", 'forwardingMode': 'dr'"),
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "backend_pools[p].backends[a].address: is an IPv4 one, and mode dr does not "
		   "lead there from virtual_servers[v], which has an IPv6 one: tunnels do"},

	{.backends = BACKEND("a", "'address': '198.51.100.9', 'port': 1") "," BACKEND(
		 "b", "'address': '198.51.100.9', 'port': 2")},
	{.backends = BACKEND("a", "'address': '198.51.100.9', 'port': 0")},
	{.backends = BACKEND("a", "'address': '198.51.100.9', 'port': 1") "," BACKEND(
		 "b", "'address': '198.51.100.9', 'port': 1"),
	 .code = PROBLEM_ALREADY_EXISTS,
	 .reason = "198.51.100.9 port 1 is also backend_pools[p].backends["},
	{.backends = BACKEND("a", "'address': '10.0.0.1', 'port': 1"),
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "backend_pools[p].backends[a].address: 10.0.0.1 has no route"},
	{.backends = BACKEND("a", "'address': '10.0.0.1', 'port': 1"),
	 .routes = "{'name': 'r', 'prefix': '10.0.0.0/8', 'gateway': '198.51.100.254'}"},
	{.backends = BACKEND("a", "'address': '10.0.0.1', 'port': 1"),
	 .routes = "{'name': 'r', 'prefix': '10.0.0.0/8', 'interface': 'lan'}"},
	{.backends = BACKEND("a", "'address': '10.0.0.1', 'port': 1"),
	 .routes = "{'name': 'r', 'prefix': '10.0.0.0/8', 'blackhole': true}",
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "backends[a].address: 10.0.0.1 has a route that is a blackhole"},
	{.backends = BACKEND("a", "'address': '10.0.0.1', 'port': 1"), .servers = ""}, /* unused */
	{.backends = BACKEND("a", "'address': '192.0.2.80', 'port': 1"),
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "backends[a].address: 192.0.2.80 is the appliance's own"},
	{.backends =
		 BACKEND("a", "'address': '198.51.100.8', 'port': 1, 'weight': 65535") "," BACKEND(
			 "b", "'address': '198.51.100.9', 'port': 1, 'weight': 1")},
	{.backends =
		 BACKEND("a", "'address': '198.51.100.8', 'port': 1, 'weight': 65535") "," BACKEND(
			 "b", "'address': '198.51.100.9', 'port': 1, 'weight': 2"),
	 .code = PROBLEM_INVALID_ARGUMENT,
	 .reason = "backend_pools[p]: the weights, divided by their greatest common divisor, add "
		   "up to 65537, over 65536"},

	{.servers = NO_LOCAL,
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "virtual_servers[v].local_address_pool: is required: "
		   "backend_pools[p].backends[a] is in mode fullnat"},
	{.servers = NO_LOCAL, .backends = BACKEND("a", ENDPOINT ", 'forwardingMode': 'nat'")},
	{.servers = NO_LOCAL, .backends = BACKEND("a", ENDPOINT ", 'forwardingMode': 'dr'")},
	{.servers = NO_LOCAL,
	 .backends = BACKEND("a", "'address': '198.51.100.9', 'port': 81, 'forwardingMode': 'dr'"),
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "backend_pools[p].backends[a].port: 81 cannot be reached in mode dr: it has to "
		   "be 0 or that of virtual_servers[v], 192.0.2.80 port 80 tcp"},
	{.servers = NO_LOCAL,
	 .backends = BACKEND("a", "'address': '198.51.100.9', 'forwardingMode': 'dr'")},
	{.servers = RANGE,
	 .backends = BACKEND("a", "'address': '198.51.100.9', 'port': 80, 'forwardingMode': 'dr'"),
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "backend_pools[p].backends[a].port: 80 cannot be reached in mode dr: it has to "
		   "be 0 or that of virtual_servers[v], 192.0.2.80 ports 80-89 tcp"},
	{.servers = NO_LOCAL,
	 .backends = BACKEND("a", "'address': '10.0.0.1', 'port': 80, 'forwardingMode': 'dr'"),
	 .routes = "{'name': 'r', 'prefix': '10.0.0.0/8', 'gateway': '198.51.100.254'}",
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "backends[a].address: 10.0.0.1 is behind a gateway"},

	/* FullNAT translates from IPv6 to IPv4, and nothing else does. */
	{.interfaces = BOTH, .servers = SERVER6},
	{.interfaces = BOTH,
	 .servers = SERVER6,
	 .backends = BACKEND("a", ENDPOINT) "," BACKEND6,
	 .locals = LOCALS("'198.51.100.10', '2001:db8:2::a'")},
	{.interfaces = BOTH,
	 .servers = SERVER6,
	 .backends = BACKEND("a", ENDPOINT) "," BACKEND6,
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "virtual_servers[v].local_address_pool: l has no IPv6 address, as backends of "
		   "p want"},
	{.interfaces = BOTH,
	 .servers = SERVER6,
	 .locals = LOCALS("'2001:db8:2::a'"),
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "virtual_servers[v].local_address_pool: l has no IPv4 address"},
	{.interfaces = BOTH,
	 .servers = SERVER6,
	 .backends = BACKEND("a", ENDPOINT ", 'forwardingMode': 'nat'"),
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "backend_pools[p].backends[a].address: is an IPv4 one, and mode nat does not "},
	{.interfaces = BOTH,
	 .backends = BACKEND6,
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = ".address: is an IPv6 one, and mode fullnat does not lead there from "
		   "virtual_servers[v], which has an IPv4 one: tunnels do"},

	{.locals = "{'name': 'l', 'addresses': ['198.51.100.10']},"
		   "{'name': 'm', 'addresses': ['198.51.100.10']}",
	 .code = PROBLEM_ALREADY_EXISTS,
	 .reason = "local_address_pools[m].addresses: 198.51.100.10 is also of "
		   "local_address_pools[l]"},
	{.locals = "{'name': 'l', 'addresses': ['198.51.100.1']}",
	 .code = PROBLEM_ALREADY_EXISTS,
	 .reason = "local_address_pools[l].addresses: 198.51.100.1 is also of interfaces[lan]"},
	{.locals = "{'name': 'l', 'addresses': ['192.0.2.80']}",
	 .code = PROBLEM_ALREADY_EXISTS,
	 .reason = "local_address_pools[l].addresses: 192.0.2.80 is also of virtual_servers[v]"},

	{.interfaces = WAN_LAN ",{'name': 'moon', 'addresses': []}",
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "interfaces[moon]: the boot configuration has no port of this name"},
	{.interfaces = "{'name': 'wan', 'addresses': ['198.51.100.2/24']},"
		       "{'name': 'lan', 'addresses': ['198.51.100.1/24']}",
	 .code = PROBLEM_ALREADY_EXISTS,
	 .reason = "198.51.100.0/24 is also of interfaces["},
	{.interfaces = "{'name': 'lan', 'addresses': ['198.51.100.1/24', '198.51.100.2/24']}"},
	{.interfaces = "{'name': 'lan', 'addresses': ['198.51.100.1/24', '198.51.100.1/25']}",
	 .code = PROBLEM_ALREADY_EXISTS,
	 .reason = "interfaces[lan].addresses: 198.51.100.1 is also of interfaces[lan]"},
	{.interfaces = "{'name': 'wan', 'addresses': ['192.0.2.1/24']}",
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "198.51.100.101 has no route"},

	{.routes = "{'name': 'r', 'prefix': '0.0.0.0/0', 'gateway': '10.0.0.1'}",
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "routes[r].gateway: 10.0.0.1 is not on the link of any interface"},
	{.routes = "{'name': 'r', 'prefix': '0.0.0.0/0', 'gateway': '192.0.2.9',"
		   " 'interface': 'lan'}",
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "routes[r].gateway: 192.0.2.9 is not on the link of lan"},
	{.routes = "{'name': 'r', 'prefix': '0.0.0.0/0', 'gateway': '192.0.2.9',"
		   " 'interface': 'wan'}"},
	{.routes = "{'name': 'r', 'prefix': '0.0.0.0/0', 'gateway': '192.0.2.1'}",
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "routes[r].gateway: 192.0.2.1 is the appliance's own"},
	{.routes = "{'name': 'r', 'prefix': '10.0.0.0/8', 'interface': 'moon'}",
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "routes[r].interface: moon does not exist"},
	{.interfaces = "{'name': 'lan', 'addresses': ['198.51.100.1/24']}",
	 .routes = "{'name': 'r', 'prefix': '10.0.0.0/8', 'interface': 'wan'}",
	 .code = PROBLEM_FAILED_PRECONDITION,
	 .reason = "routes[r].interface: wan has no address to send from"},
	{.routes = "{'name': 'r', 'prefix': '10.0.0.0/8', 'blackhole': true},"
		   "{'name': 's', 'prefix': '10.0.0.0/8', 'gateway': '192.0.2.9'}",
	 .code = PROBLEM_ALREADY_EXISTS,
	 .reason = "10.0.0.0/8 is also of routes["},
	{.routes = "{'name': 'r', 'prefix': '192.0.2.0/24', 'blackhole': true}",
	 .code = PROBLEM_ALREADY_EXISTS,
	 .reason = "192.0.2.0/24 is also of"},
};

static const char * or (const char *given, const char *usual)
{
	return given ? given : usual;
}

static void each_relation(void **state)
{
	struct sl_root *root = bed_root_new();
	char json[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(manys) / sizeof(manys[0]); i++) {
		const struct many *m = &manys[i];
		struct model *model = model_new(root);
		struct problem why;
		enum problem_code code;

		root->port[1].mtu = m->lan_mtu ? m->lan_mtu : 9000;
		snprintf(json, sizeof(json),
			 "{'interfaces': [%s], 'routes': [%s], 'localAddressPools': [%s],"
			 "'backendPools': [{'name': 'p', 'backends': [%s]}],"
			 "'virtualServers': [%s]}",
			 or (m->interfaces, WAN_LAN), or (m->routes, ""),
			 or (m->locals, "{'name': 'l', 'addresses': ['198.51.100.10']}"),
			 or (m->backends, BACKEND("a", "'address': '198.51.100.101', 'port': 80")),
			 or (m->servers, SERVER("v", "'address': '192.0.2.80', 'port': 80")));
		code = bed_config(model, json, NULL, &why);
		if (code != m->code || (code && !strstr(why.text, m->reason)))
			fail_msg("%s: %s, %s", json, problem_code_name(code), code ? why.text : "");
		if (code)
			assert_int_equal(model->count[RESOURCE_BACKEND_POOL], 0);
		model_free(model);
		bed_json_free();
	}
	bed_root_free(root);
}

/* What a virtual server uses stays; the words are about who asked. */
static void pools_in_use_stay(void **state)
{
	static const struct {
		enum resource_kind kind;
		const char *name, *reason;
	} uses[] = {
		{RESOURCE_BACKEND_POOL, "web", "backend pool web is used by virtual server web"},
		{RESOURCE_LOCAL_ADDRESS_POOL, "lan",
		 "local address pool lan is used by virtual server web"},
	};
	struct sl_root *root = bed_root_new();
	struct model *model = model_new(root);
	struct apply_request q = {.op = APPLY_DELETE};
	struct problem why;

	(void)state;
	assert_int_equal(bed_config(model, bed_good, NULL, &why), 0);
	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
		q.kind = uses[i].kind;
		q.name = uses[i].name;
		assert_int_equal(bed_try(model, &q, NULL, &why), PROBLEM_FAILED_PRECONDITION);
		assert_string_equal(why.text, uses[i].reason);
	}
	q.kind = RESOURCE_VIRTUAL_SERVER;
	q.name = "web";
	assert_int_equal(bed_try(model, &q, NULL, &why), 0);
	q.kind = RESOURCE_BACKEND_POOL;
	assert_int_equal(bed_try(model, &q, NULL, &why), 0);
	model_free(model);
	bed_json_free();
	bed_root_free(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field),
		cmocka_unit_test(each_relation),
		cmocka_unit_test(pools_in_use_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
