/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of ipvsadm and the API's. What the API does not know is refused by its name. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/client/ipvsadm/ipvsadm.h"
#include "ctrl/client/schema.h"
#include "ctrl/client/yaml_out.h"

#define GUE_PORT 6080 /* of a backend that names none */

const struct ipvs_method ipvs_methods[] = {
	{"dr", "-g", "Route", NULL, true, false},
	{"nat", "-m", "Masq", NULL, false, false},
	{"ipip", "-i", "Tunnel", "ipip", true, false},
	{"gre", "-i", "Tunnel", "gre", true, false},
	{"gue", "-i", "Tunnel", "gue", true, false},
	{"fullnat", "--fullnat", "FullNat", NULL, false, true},
	{0},
};

static bool has_value(const char *enum_name, const char *value)
{
	const struct schema_enum *e = schema_enum(enum_name);

	for (int i = 0; e && e->values[i]; i++)
		if (strcmp(e->values[i], value) == 0)
			return true;
	return false;
}

const struct ipvs_method *ipvs_method_by_mode(const char *mode)
{
	const struct ipvs_method *m = ipvs_methods;

	while (m->mode && strcmp(m->mode, mode) != 0)
		m++;
	return m->mode ? m : NULL;
}

const struct ipvs_method *ipvs_tunnel(const char *type)
{
	const struct ipvs_method *m = ipvs_methods;

	while (m->mode && (!m->tunnel || strcmp(m->tunnel, type) != 0))
		m++;
	return m->mode ? m : NULL;
}

unsigned int ipvs_gue_port(json_t *backend)
{
	unsigned int port = ipvs_number(backend, "guePort");

	return port ? port : GUE_PORT;
}

bool ipvs_gue_checksum(const char *address)
{
	return ipvs_is_six(address);
}

/* The API has ipvsadm's names, in capitals: SCHEDULER_WRR. */
bool ipvs_scheduler_value(const char *name, char *value, size_t size)
{
	if (!has_value("Scheduler", name))
		return false;
	snprintf(value, size, "SCHEDULER_%s", name);
	for (; *value; value++)
		if (*value >= 'a' && *value <= 'z')
			*value = (char)(*value - 'a' + 'A');
	return true;
}

const char *ipvs_schedulers(char *buffer, size_t size)
{
	const struct schema_enum *e = schema_enum("Scheduler");
	size_t used = 0;

	buffer[0] = '\0';
	for (int i = 0; e->values[i] && used < size; i++)
		used += (size_t)snprintf(buffer + used, size - used, "%s%s", i ? ", " : "",
					 e->values[i]);
	return buffer;
}

const char *ipvs_scheduler_name(const char *value, char *buffer, size_t size)
{
	return *value ? enum_short("scheduler", value, buffer, size) : "wrr";
}

/* ipvsadm's flags for hashing schedulers, each only for its own. */
const char *ipvs_scheduler_flags(json_t *service)
{
	const char *scheduler = ipvs_text(service, "scheduler");

	if (strcmp(ipvs_text(service, "hashKey"), "HASH_KEY_SOURCE_IP_PORT") != 0)
		return "";
	return strcmp(scheduler, "SCHEDULER_SH") == 0   ? "sh-port"
	       : strcmp(scheduler, "SCHEDULER_MH") == 0 ? "mh-port"
							: "";
}

#define DEFAULT_RESUME 75

unsigned int ipvs_upper_threshold(json_t *backend)
{
	return ipvs_number(backend, "maxConnections");
}

unsigned int ipvs_lower_threshold(json_t *backend)
{
	unsigned int percent = ipvs_number(backend, "resumePercent");

	if (!percent || percent == DEFAULT_RESUME)
		return 0;
	return (unsigned int)((uint64_t)ipvs_upper_threshold(backend) * percent / 100);
}

unsigned int ipvs_resume_percent(unsigned int upper, unsigned int lower)
{
	unsigned int percent = 1;

	if (!lower)
		return DEFAULT_RESUME;
	while (percent < 100 && (uint64_t)upper * percent / 100 < lower)
		percent++;
	return (uint64_t)upper * percent / 100 == lower ? percent : 0;
}

/* ---- persistence: of ipvsadm a netmask or the length of a prefix, of the API always a length ----
 */

unsigned int ipvs_persistence(json_t *service)
{
	return ipvs_number(json_object_get(service, "persistence"), "timeoutSeconds");
}

void ipvs_set_persistence(json_t *service, unsigned int seconds, unsigned int prefix)
{
	bool six = ipvs_is_six(ipvs_text(service, "address"));
	json_t *persistence;

	if (!seconds) {
		json_object_del(service, "persistence");
		return;
	}
	persistence = json_pack("{si}", "timeoutSeconds", (int)seconds);
	if (prefix)
		json_object_set_new(persistence, six ? "ipv6PrefixLength" : "ipv4PrefixLength",
				    json_integer(prefix));
	json_object_set_new(service, "persistence", persistence);
}

bool ipvs_netmask(json_t *service, char *buffer, size_t size)
{
	bool six = ipvs_is_six(ipvs_text(service, "address"));
	unsigned int prefix = ipvs_number(json_object_get(service, "persistence"),
					  six ? "ipv6PrefixLength" : "ipv4PrefixLength");
	uint32_t mask = prefix ? htonl(~0u << (32 - (prefix < 32 ? prefix : 32))) : ~0u;

	if (six)
		snprintf(buffer, size, "%u", prefix);
	else
		inet_ntop(AF_INET, &mask, buffer, (socklen_t)size);
	return prefix && prefix < (six ? 128 : 32);
}

unsigned int ipvs_prefix_of(uint32_t mask)
{
	unsigned int prefix = 0;

	while (prefix < 32 && mask & 1u << (31 - prefix))
		prefix++;
	return prefix && mask == ~0u << (32 - prefix) ? prefix : 0;
}
