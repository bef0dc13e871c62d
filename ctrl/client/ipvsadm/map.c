/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of ipvsadm and the API's. What the API does not know is refused by its name. */
#include <stdio.h>
#include <string.h>

#include "ctrl/client/ipvsadm/ipvsadm.h"
#include "ctrl/client/schema.h"
#include "ctrl/client/yaml_out.h"

const struct ipvs_method ipvs_methods[] = {
	{"dr", "-g", "Route", "", true, false},
	{"nat", "-m", "Masq", "", false, false},
	{"tunnel", "-i", "Tunnel", " --tun-type ipip", true, false},
	{"fullnat", "--fullnat", "FullNat", "", false, true},
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

bool ipvs_method_known(const struct ipvs_method *method)
{
	return has_value("ForwardingMode", method->mode);
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
