/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/connection_filter.h"

#include <arpa/inet.h>
#include <string.h>

#include <rte_common.h>

#include "ctrl/model.h"

static bool filter_reference(struct rpc_call *call, enum resource_kind kind, const char *field,
			     const char *name, uint32_t *ref)
{
	const struct resource *r = model_find(rpc_call_ctrl(call)->model, kind, name);

	*ref = SL_REF_NONE;
	if (!*name)
		return true;
	if (!r) {
		rpc_fail(call, PROBLEM_NOT_FOUND, "%s: there is no %.130s", field, name);
		return false;
	}
	*ref = r->ref;
	return true;
}

static bool filter_client(struct rpc_call *call, const char *address, struct sl_addr *client)
{
	uint32_t v4;

	if (!*address)
		return true;
	if (inet_pton(AF_INET, address, &v4) == 1)
		*client = sl_addr_of_v4(v4);
	else if (inet_pton(AF_INET6, address, client) != 1)
		*client = (struct sl_addr){0};
	if (!sl_addr_is_none(client))
		return true;
	rpc_fail(call, PROBLEM_INVALID_ARGUMENT,
		 "client_address: \"%.40s\" is no IP address of a client", address);
	return false;
}

/* By its name, or by that of a SNAT policy, which stands for a virtual server. */
static bool filter_server(struct rpc_call *call, const struct connection_words *words,
			  uint32_t *ref)
{
	if (!*words->snat_policy)
		return filter_reference(call, RESOURCE_VIRTUAL_SERVER, "virtual_server",
					words->virtual_server, ref);
	if (!*words->virtual_server)
		return filter_reference(call, RESOURCE_SNAT_POLICY, "snat_policy",
					words->snat_policy, ref);
	rpc_fail(call, PROBLEM_INVALID_ARGUMENT,
		 "snat_policy: no connection is of one and of a virtual server");
	return false;
}

static bool filter_protocol(struct rpc_call *call, Sluice__V1__Protocol protocol, uint8_t *number)
{
	switch (protocol) {
	case SLUICE__V1__PROTOCOL__PROTOCOL_UNSPECIFIED: *number = 0; return true;
	case SLUICE__V1__PROTOCOL__PROTOCOL_TCP: *number = IPPROTO_TCP; return true;
	case SLUICE__V1__PROTOCOL__PROTOCOL_UDP: *number = IPPROTO_UDP; return true;
	case SLUICE__V1__PROTOCOL__PROTOCOL_ICMP: *number = IPPROTO_ICMP; return true;
	default:
		rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "protocol: %d is not known", protocol);
		return false;
	}
}

static bool filter_state(struct rpc_call *call, const char *name, uint8_t *state)
{
	*state = SL_CONN_NONE;
	if (!*name)
		return true;
	for (uint8_t s = SL_CONN_NONE + 1; s < SL_CONN_STATE_MAX; s++)
		if (!strcmp(name, sl_conn_state_names[s]))
			*state = s;
	if (*state != SL_CONN_NONE)
		return true;
	rpc_fail(call, PROBLEM_INVALID_ARGUMENT, "state: \"%.40s\" is no connection state", name);
	return false;
}

bool connection_filter(struct rpc_call *call, const struct connection_words *words,
		       struct sl_conn_filter *filter)
{
	*filter = (struct sl_conn_filter){0};
	return filter_server(call, words, &filter->virtual_server) &&
	       filter_reference(call, RESOURCE_BACKEND, "backend", words->backend,
				&filter->backend) &&
	       filter_client(call, words->client_address, &filter->client) &&
	       filter_protocol(call, words->protocol, &filter->protocol) &&
	       filter_state(call, words->state, &filter->state);
}

const char *connection_words_text(struct rpc_call *call, const struct connection_words *words)
{
	static const char *const protocols[] = {"", "tcp", "udp", "icmp"};
	const char *protocol =
		(size_t)words->protocol < RTE_DIM(protocols) ? protocols[words->protocol] : "";
	const char *given[][2] = {
		{"virtual_server", words->virtual_server},
		{"backend", words->backend},
		{"snat_policy", words->snat_policy},
		{"client_address", words->client_address},
		{"protocol", protocol},
		{"state", words->state},
	};
	const char *text = "connections";

	for (size_t i = 0; text && i < RTE_DIM(given); i++)
		if (*given[i][1])
			text = rpc_format(call, "%s %s=%s", text, given[i][0], given[i][1]);
	return text;
}
