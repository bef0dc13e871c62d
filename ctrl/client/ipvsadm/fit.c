/* SPDX-License-Identifier: BSD-3-Clause */
/* Which options go together, with ipvsadm's sentences about those that do not. */
#include <string.h>

#include "ctrl/client/ipvsadm/ipvsadm.h"

static int check_listing(unsigned int given)
{
	/* Each pair, the first found is named. */
	static const unsigned int conflicts[][2] = {{IPVS_SERVICE, IPVS_CONNECTION},
						    {IPVS_TIMEOUT, IPVS_CONNECTION},
						    {IPVS_TIMEOUT, IPVS_SERVICE}};
	unsigned int table =
		given & (IPVS_STATS | IPVS_RATE | IPVS_THRESHOLDS | IPVS_PERSISTENT_CONN);

	for (size_t i = 0; i < sizeof(conflicts) / sizeof(conflicts[0]); i++)
		if ((given & conflicts[i][0]) && (given & conflicts[i][1]))
			return IPVS_WRONG("The option '%s' conflicts with the '%s' option in the "
					  "'list' command",
					  ipvs_option_said(conflicts[i][0]),
					  ipvs_option_said(conflicts[i][1]));
	if (((given & IPVS_CONNECTION) && (table & (IPVS_STATS | IPVS_RATE))) ||
	    ((given & IPVS_TIMEOUT) && table))
		return IPVS_WRONG("options conflicts in the list command");
	return IPVS_OK;
}

/* Only a client's persistence keeps its connections to several ports together. */
static int check_service(const struct ipvs_request *request)
{
	if (!request->service.port && !request->persistence)
		return IPVS_WRONG("Zero port specified for non-persistent service");
	if (request->given & IPVS_NETMASK && !request->persistence)
		return IPVS_WRONG("You need to supply the 'persistent' option for the 'netmask' "
				  "option");
	return IPVS_OK;
}

/* An option that a type of tunnel has no use for. */
static int check_tunnel_option(const struct ipvs_request *request, unsigned int bit)
{
	if (request->given & bit)
		return IPVS_WRONG("Illegal '%s' option with the '%s' tunnel type",
				  ipvs_option_said(bit), request->method->tunnel);
	return IPVS_OK;
}

/* A checksum is there or not as the tunnel and the family of its outside say. */
static int check_checksum(const struct ipvs_request *request)
{
	bool gue = strcmp(request->method->tunnel, "gue") == 0;
	bool there = gue && ipvs_gue_checksum(request->server.address);
	unsigned int wrong = there ? IPVS_TUN_NOCSUM : IPVS_TUN_CSUM;

	if ((request->given & IPVS_TUN_CSUM) && (request->given & IPVS_TUN_NOCSUM))
		return IPVS_WRONG("The option 'tun-csum' conflicts with the 'tun-nocsum' option in "
				  "the '%s' tunnel type",
				  request->method->tunnel);
	if (request->given & wrong)
		return ipvs_refuse("Operation not supported: %s: %s has %s checksum",
				   ipvs_option_said(wrong),
				   !gue    ? "GRE"
				   : there ? "GUE over IPv6"
					   : "GUE over IPv4",
				   there ? "always a" : "no");
	return IPVS_OK;
}

static int check_tunnel(const struct ipvs_request *request)
{
	const char *type = request->method->tunnel;
	int result = IPVS_OK;

	if (!(request->given & IPVS_TUN))
		return IPVS_OK;
	if (!type)
		return IPVS_WRONG("Tunnel options conflict with forward method");
	if (strcmp(type, "gue") != 0)
		result = check_tunnel_option(request, IPVS_TUN_PORT);
	else if (!request->tunnel_port)
		return IPVS_WRONG("You need to supply the 'tun-port' option for the 'gue' tunnel "
				  "type");
	if (result != IPVS_OK || strcmp(type, "ipip") != 0)
		return result == IPVS_OK ? check_checksum(request) : result;
	result = check_tunnel_option(request, IPVS_TUN_NOCSUM);
	return result == IPVS_OK ? check_tunnel_option(request, IPVS_TUN_CSUM) : result;
}

/* FullNAT, which ipvsadm has not, can go from IPv6 to IPv4. */
static int check_server(const struct ipvs_request *request)
{
	bool six = ipvs_is_six(request->service.address);

	if (six != ipvs_is_six(request->server.address) && !request->method->tunnel &&
	    !(request->method->needs_local && six))
		return IPVS_WRONG("Different address family is allowed only for tunneling servers");
	return check_tunnel(request);
}

int ipvs_check_options(const struct ipvs_request *request, const char *command, unsigned int wants,
		       unsigned int takes)
{
	for (unsigned int bit = 1; bit; bit <<= 1) {
		if (request->given & bit & ~(wants | takes))
			return IPVS_WRONG("Illegal '%s' option with the '%s' command",
					  ipvs_option_said(bit), command);
		if (wants & bit & ~request->given)
			return IPVS_WRONG("You need to supply the '%s' option for the '%s' command",
					  ipvs_option_said(bit), command);
	}
	switch (request->command) {
	case IPVS_ADD_SERVICE:
	case IPVS_EDIT_SERVICE: return check_service(request);
	case IPVS_ADD_SERVER:
	case IPVS_EDIT_SERVER: return check_server(request);
	case IPVS_LIST: return check_listing(request->given);
	default: return IPVS_OK;
	}
}
