/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/client/kind.h"

#include <string.h>

const struct kind kind_virtual_server = {
	.noun = "virtual-server",
	.service = "VirtualServerService",
	.one = "VirtualServer",
	.many = "VirtualServers",
	.field = "virtualServer",
	.list = "virtualServers",
	.columns = (const struct column[]){{"NAME", "name", COLUMN_TEXT, NULL},
					   {"ADDRESS", "address:port", COLUMN_ENDPOINT, NULL},
					   {"PROTOCOL", "protocol", COLUMN_TEXT, NULL},
					   {"SCHEDULER", "scheduler", COLUMN_TEXT, "wrr"},
					   {"POOL", "backendPool", COLUMN_TEXT, NULL},
					   {"LOCAL-POOL", "localAddressPool", COLUMN_TEXT, NULL},
					   {0}},
};

const struct kind kind_pool = {
	.noun = "pool",
	.service = "BackendPoolService",
	.one = "BackendPool",
	.many = "BackendPools",
	.field = "backendPool",
	.list = "backendPools",
	.columns = (const struct column[]){{"NAME", "name", COLUMN_TEXT, NULL},
					   {"MODE", "forwardingMode", COLUMN_TEXT, "fullnat"},
					   {"BACKENDS", "backends", COLUMN_COUNT, NULL},
					   {0}},
};

const struct kind kind_backend = {
	.noun = "backend",
	.service = "BackendPoolService",
	.one = "Backend",
	.many = "Backends",
	.field = "backend",
	.list = "backends",
	.parent = "backendPool",
	.columns = (const struct column[]){{"NAME", "name", COLUMN_TEXT, NULL},
					   {"ADDRESS", "address:port", COLUMN_ENDPOINT, NULL},
					   {"WEIGHT", "weight", COLUMN_NUMBER, "1"},
					   {"MODE", "forwardingMode", COLUMN_TEXT, NULL},
					   {0}},
};

const struct kind kind_local_pool = {
	.noun = "local-pool",
	.service = "LocalAddressPoolService",
	.one = "LocalAddressPool",
	.many = "LocalAddressPools",
	.field = "localAddressPool",
	.list = "localAddressPools",
	.columns = (const struct column[]){{"NAME", "name", COLUMN_TEXT, NULL},
					   {"ADDRESSES", "addresses", COLUMN_TEXT, NULL},
					   {0}},
};

const struct kind kind_interface = {
	.noun = "interface",
	.service = "InterfaceService",
	.one = "Interface",
	.many = "Interfaces",
	.field = "interface",
	.list = "interfaces",
	.columns = (const struct column[]){{"NAME", "name", COLUMN_TEXT, NULL},
					   {"MAC", "mac", COLUMN_TEXT, NULL},
					   {"MTU", "mtu", COLUMN_NUMBER, NULL},
					   {"LINK-UP", "linkUp", COLUMN_TEXT, "no"},
					   {"STEERING", "steering", COLUMN_TEXT, NULL},
					   {"ADDRESSES", "addresses", COLUMN_TEXT, NULL},
					   {0}},
};

const struct kind kind_route = {
	.noun = "route",
	.service = "RouteService",
	.one = "Route",
	.many = "Routes",
	.field = "route",
	.list = "routes",
	.columns = (const struct column[]){{"NAME", "name", COLUMN_TEXT, NULL},
					   {"PREFIX", "prefix", COLUMN_TEXT, NULL},
					   {"GATEWAY", "gateway", COLUMN_TEXT, NULL},
					   {"INTERFACE", "interface", COLUMN_TEXT, NULL},
					   {"BLACKHOLE", "blackhole", COLUMN_TEXT, "no"},
					   {0}},
};

const struct kind kind_snat_policy = {
	.noun = "snat-policy",
	.service = "SnatPolicyService",
	.one = "SnatPolicy",
	.many = "SnatPolicies",
	.field = "snatPolicy",
	.list = "snatPolicies",
	.columns =
		(const struct column[]){{"NAME", "name", COLUMN_TEXT, NULL},
					{"PRIORITY", "priority", COLUMN_NUMBER, NULL},
					{"SOURCES", "sourcePrefixes", COLUMN_TEXT, NULL},
					{"DESTINATIONS", "destinationPrefixes", COLUMN_TEXT, "any"},
					{"PROTOCOL", "protocol", COLUMN_TEXT, "any"},
					{"IN", "inInterface", COLUMN_TEXT, "any"},
					{"LOCAL-POOL", "localAddressPool", COLUMN_TEXT, NULL},
					{0}},
};

const struct kind *kind_of_field(const char *json)
{
	static const struct kind *const named[] = {&kind_virtual_server, &kind_pool,
						   &kind_local_pool, &kind_interface,
						   &kind_snat_policy};

	if (strcmp(json, "inInterface") == 0)
		return &kind_interface;
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		if (strcmp(named[i]->field, json) == 0)
			return named[i];
	return NULL;
}
