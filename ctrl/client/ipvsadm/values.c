/* SPDX-License-Identifier: BSD-3-Clause */
/* What the arguments of options mean. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/client/ipvsadm/ipvsadm.h"

#define PERSISTENCE_DEFAULT 360     /* ipvsadm's, in seconds */
#define PERSISTENCE_MAX     2678400 /* likewise, 31 days; the daemon may take less */

static const char *const scheduler_flags[] = {"flag-1",  "flag-2",      "flag-3",  "sh-fallback",
					      "sh-port", "mh-fallback", "mh-port", NULL};

/* Decimal, of the whole text. */
static bool read_number(const char *text, long least, long most, unsigned int *number)
{
	char *end;
	long read = strtol(text, &end, 10);

	*number = (unsigned int)read;
	return end != text && !*end && read >= least && read <= most;
}

/* ipvsadm wants a port behind brackets. */
static bool read_endpoint(const char *text, const char *protocol, struct ipvs_endpoint *endpoint)
{
	return ipvs_read_endpoint(text, protocol, endpoint) && (*text != '[' || endpoint->has_port);
}

static int read_service(struct ipvs_request *request, char letter, const char *text)
{
	request->service.protocol = letter == 'u' ? "PROTOCOL_UDP" : "PROTOCOL_TCP";
	if (!read_endpoint(text, request->service.protocol, &request->service))
		return IPVS_WRONG("illegal virtual server address[:port] specified");
	return IPVS_OK;
}

/* The protocol of a server's port is the service's, which may stand behind it. */
static int read_server(struct ipvs_request *request, const char *text)
{
	const char *protocol = request->service.protocol;

	if (!read_endpoint(text, protocol ? protocol : "PROTOCOL_TCP", &request->server))
		return IPVS_WRONG("illegal real server address[:port] specified");
	return IPVS_OK;
}

static int read_laddr(struct ipvs_request *request, const char *text)
{
	struct ipvs_endpoint endpoint;

	if (!ipvs_read_endpoint(text, "PROTOCOL_TCP", &endpoint) || endpoint.has_port)
		return IPVS_WRONG("illegal local address specified");
	snprintf(request->laddr, sizeof(request->laddr), "%s", endpoint.address);
	return IPVS_OK;
}

static int read_weight(struct ipvs_request *request, const char *text)
{
	unsigned int weight;

	if (!read_number(text, 0, INT32_MAX, &weight))
		return IPVS_WRONG("illegal weight specified");
	request->weight = weight;
	return IPVS_OK;
}

static int read_threshold(const char *text, const char *said, unsigned int *threshold)
{
	if (!read_number(text, 0, INT32_MAX, threshold))
		return IPVS_WRONG("illegal %s specified", said);
	return IPVS_OK;
}

static int read_persistence(struct ipvs_request *request, const char *text)
{
	request->persistence = PERSISTENCE_DEFAULT;
	if (text && !read_number(text, 1, PERSISTENCE_MAX, &request->persistence))
		return IPVS_WRONG("invalid timeout value `%s' specified", text);
	return IPVS_OK;
}

static int read_tunnel_type(struct ipvs_request *request, const char *text)
{
	if (!ipvs_tunnel(text))
		return IPVS_WRONG("illegal tunnel type specified");
	snprintf(request->tunnel, sizeof(request->tunnel), "%s", text);
	return IPVS_OK;
}

static int read_tunnel_port(struct ipvs_request *request, const char *text)
{
	if (!read_number(text, 1, UINT16_MAX, &request->tunnel_port))
		return IPVS_WRONG("illegal tunnel port specified");
	return IPVS_OK;
}

int ipvs_read_timeout(const char *text, unsigned int *seconds)
{
	if (!text)
		return IPVS_WRONG("--set option requires 3 timeout values");
	if (!read_number(text, 0, INT32_MAX, seconds))
		return IPVS_WRONG("invalid timeout value `%s' specified", text);
	return IPVS_OK;
}

#define COPY(to, text) snprintf(to, sizeof(to), "%s", text)

int ipvs_read_value(struct ipvs_request *request, unsigned int bit, char letter, const char *text)
{
	switch (bit) {
	case IPVS_SERVICE: return read_service(request, letter, text);
	case IPVS_SERVER: return read_server(request, text);
	case IPVS_LADDR: return read_laddr(request, text);
	case IPVS_WEIGHT: return read_weight(request, text);
	case IPVS_UTHRESHOLD: return read_threshold(text, "u_threshold", &request->upper);
	case IPVS_LTHRESHOLD: return read_threshold(text, "l_threshold", &request->lower);
	case IPVS_PERSISTENT: return read_persistence(request, text);
	case IPVS_TUN_TYPE: return read_tunnel_type(request, text);
	case IPVS_TUN_PORT: return read_tunnel_port(request, text);
	case IPVS_NETMASK: COPY(request->netmask, text); return IPVS_OK;
	case IPVS_SCHED_FLAGS: COPY(request->flags, text); return IPVS_OK;
	case IPVS_LADDR_POOL: COPY(request->laddr_pool, text); return IPVS_OK;
	case IPVS_SCHEDULER: COPY(request->scheduler, text); return IPVS_OK;
	default: return IPVS_OK;
	}
}

/* ---- what depends on other options ---- */

/* Of IPv4 a mask, of IPv6 the length of a prefix. */
static int resolve_netmask(struct ipvs_request *request)
{
	struct in_addr mask;

	if (!(request->given & IPVS_NETMASK))
		return IPVS_OK;
	if (ipvs_is_six(request->service.address)) {
		if (!read_number(request->netmask, 1, 128, &request->prefix))
			return IPVS_WRONG("illegal ipv6 netmask specified");
		return IPVS_OK;
	}
	if (!inet_aton(request->netmask, &mask))
		return IPVS_WRONG("illegal virtual server persistent mask specified");
	request->prefix = ipvs_prefix_of(ntohl(mask.s_addr));
	return request->prefix
		       ? IPVS_OK
		       : ipvs_refuse(
				 "Operation not supported: netmask %s is not of a prefix of 1 to "
				 "32 bits",
				 request->netmask);
}

/* "sh-port,flag-2", of the scheduler's own: the ports take part in the hash. */
static int resolve_flags(struct ipvs_request *request)
{
	char words[sizeof(request->flags)], own[sizeof(request->scheduler) + 8], *rest, *word;

	strcpy(words, request->flags);
	snprintf(own, sizeof(own), "%s-port", request->scheduler);
	for (word = strtok_r(words, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		size_t i = 0;

		while (scheduler_flags[i] && strcmp(scheduler_flags[i], word) != 0)
			i++;
		if (!scheduler_flags[i])
			return IPVS_WRONG("invalid scheduler flag `%s'", word);
		if (word[2] == '-' && strncmp(word, own, 3) != 0)
			return IPVS_WRONG("incompatible scheduler flag `%s'", word);
		if (strcmp(word, own) != 0)
			return ipvs_refuse("Operation not supported: scheduler flags (%s)", word);
		request->by_port = true;
	}
	return IPVS_OK;
}

/* ipvsadm's defaults. A server that is to be deleted is meant as it is said. */
void ipvs_fill_in(struct ipvs_request *request)
{
	if (!(request->given & IPVS_SCHEDULER))
		COPY(request->scheduler, "wlc");
	if (!(request->given & IPVS_WEIGHT))
		request->weight = 1;
	if (!(request->given & IPVS_METHOD))
		request->method = ipvs_methods;
	if (request->given & IPVS_TUN_TYPE && request->method->tunnel)
		request->method = ipvs_tunnel(request->tunnel);
	if (!request->server.has_port ||
	    (request->method->keeps_port && request->command != IPVS_DELETE_SERVER))
		request->server.port = request->service.port;
}

int ipvs_resolve(struct ipvs_request *request)
{
	int result = resolve_flags(request);

	return result == IPVS_OK ? resolve_netmask(request) : result;
}
