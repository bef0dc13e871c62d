/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/settings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <sluice/boot_yaml.h>

#include "ctrl/rpc/rpc.h"

#define FILE_MAX 256

struct listen {
	unsigned int line;
	char address[64];
};

struct role {
	unsigned int line;
	char role[16];
	uint32_t uid, gid;
	char certificate[256];
};

struct limits {
	unsigned int line;
	uint32_t connections, per_peer;
};

struct metrics {
	unsigned int line;
	uint32_t series;
};

/* The file. */
struct settings {
	unsigned int line;
	struct listen listen[RPC_LISTEN_MAX];
	unsigned int n_listen;
	char certificate[FILE_MAX], key[FILE_MAX], client_ca[FILE_MAX];
	struct role role[ROLE_GRANTS_MAX];
	unsigned int n_roles;
	struct limits limits;
	struct metrics metrics;
};

#define TABLE(array, type)                                                   \
	{                                                                    \
		.keys = array, .n_keys = sizeof(array) / sizeof((array)[0]), \
		.line_offset = offsetof(type, line)                          \
	}

static const struct sl_boot_key listen_keys[] = {
	{"address", SL_BOOT_TEXT, true, offsetof(struct listen, address), .len = 64},
};
static const struct sl_boot_table listen_table = TABLE(listen_keys, struct listen);

#define ROLE(field) .offset = offsetof(struct role, field)
static const struct sl_boot_key role_keys[] = {
	{"role", SL_BOOT_TEXT, true, ROLE(role), .len = 16},
	{"uid", SL_BOOT_NUMBER, ROLE(uid), .max = ROLE_NOBODY - 1, .initial = ROLE_NOBODY},
	{"gid", SL_BOOT_NUMBER, ROLE(gid), .max = ROLE_NOBODY - 1, .initial = ROLE_NOBODY},
	{"certificate", SL_BOOT_LINE, ROLE(certificate), .len = 256, .initial_text = ""},
};
static const struct sl_boot_table role_table = TABLE(role_keys, struct role);

#define LIMIT(field) .offset = offsetof(struct limits, field)
static const struct sl_boot_key limit_keys[] = {
	{"connections", SL_BOOT_NUMBER, LIMIT(connections), .min = 16, .max = 16384,
	 .initial = 1024},
	{"connections-per-peer", SL_BOOT_NUMBER, LIMIT(per_peer), .min = 4, .max = 16384,
	 .initial = 768},
};
static const struct sl_boot_table limit_table = TABLE(limit_keys, struct limits);

static const struct sl_boot_key metrics_keys[] = {
	{"series", SL_BOOT_NUMBER, .offset = offsetof(struct metrics, series), .min = 100,
	 .max = 1000000, .initial = 50000},
};
static const struct sl_boot_table metrics_table = TABLE(metrics_keys, struct metrics);

#define TOP(field) .offset = offsetof(struct settings, field)
static const struct sl_boot_key top_keys[] = {
	{"listen", SL_BOOT_LIST, TOP(listen), .min = 1, .max = RPC_LISTEN_MAX,
	 .table = &listen_table, .item_size = sizeof(struct listen),
	 .count_offset = offsetof(struct settings, n_listen)},
	{"certificate", SL_BOOT_PATH, TOP(certificate), .len = FILE_MAX, .initial_text = ""},
	{"key", SL_BOOT_PATH, TOP(key), .len = FILE_MAX, .initial_text = ""},
	{"client-ca", SL_BOOT_PATH, TOP(client_ca), .len = FILE_MAX, .initial_text = ""},
	{"roles", SL_BOOT_LIST, TOP(role), .min = 1, .max = ROLE_GRANTS_MAX, .table = &role_table,
	 .item_size = sizeof(struct role), .count_offset = offsetof(struct settings, n_roles)},
	{"limits", SL_BOOT_MAP, TOP(limits), .table = &limit_table},
	{"metrics", SL_BOOT_MAP, TOP(metrics), .table = &metrics_table},
};
static const struct sl_boot_table top_table = TABLE(top_keys, struct settings);

struct complaint {
	const char *path;
	char *why;
	size_t why_len;
};

static int refuse(const struct complaint *c, unsigned int line, const char *text)
{
	snprintf(c->why, c->why_len, "%s:%u: %s", c->path, line, text);
	return -EINVAL;
}

static int set_listen(const struct complaint *c, const struct settings *s,
		      struct rpc_config *config)
{
	if (s->n_listen && !(*s->certificate && *s->key && *s->client_ca))
		return refuse(c, s->listen[0].line,
			      "listen: TCP is served with certificates on both sides alone: "
			      "`certificate`, `key` and `client-ca` are missing");
	config->n_listen = s->n_listen;
	for (unsigned int i = 0; i < s->n_listen; i++)
		strcpy(config->listen[i], s->listen[i].address);
	strcpy(config->certificate, s->certificate);
	strcpy(config->key, s->key);
	strcpy(config->client_ca, s->client_ca);
	return 0;
}

static int set_roles(const struct complaint *c, const struct settings *s, struct roles *roles)
{
	for (unsigned int i = 0; i < s->n_roles; i++) {
		const struct role *from = &s->role[i];
		struct role_grant *to = &roles->grant[roles->n++];

		to->role = caller_role_of_name(from->role);
		to->uid = from->uid;
		to->gid = from->gid;
		strcpy(to->certificate, from->certificate);
		if (to->role == CALLER_NOBODY)
			return refuse(c, from->line, "role: not viewer, operator or admin");
		if ((to->uid != ROLE_NOBODY) + (to->gid != ROLE_NOBODY) + (*to->certificate != 0) !=
		    1)
			return refuse(c, from->line,
				      "roles: one of uid, gid and certificate says who has it");
	}
	return 0;
}

int settings_load(const char *path, struct rpc_config *config, char *why, size_t why_len)
{
	static struct settings s; /* large, and read once */
	const struct complaint c = {path, why, why_len};
	int rc;

	memset(&s, 0, sizeof(s));
	rc = sl_boot_yaml_load(path, &top_table, &s, why, why_len);
	if (!rc)
		rc = set_listen(&c, &s, config);
	if (!rc)
		rc = set_roles(&c, &s, &config->roles);
	if (rc)
		return rc;
	config->limits.connections = s.limits.connections;
	config->limits.connections_per_peer = s.limits.per_peer;
	config->metrics_series = s.metrics.series;
	return 0;
}
