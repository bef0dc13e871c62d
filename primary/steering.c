/* SPDX-License-Identifier: BSD-3-Clause */
#include "primary/steering.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/log.h>
#include <sluice/snapshot.h>

#include "primary/boot_config.h"

SL_LOG_TYPE(steering_log, "sluice.primary.steering");

/* The best first. Each tells by itself whether the device is its kind. */
static const struct steering_ops *const kinds[] = {
	&steering_ebpf,
	&steering_flow,
	&steering_rss,
	&steering_none,
};

static struct steering ports[SL_MAX_PORTS];

static void attach(struct steering *s, const struct boot_port *boot)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		int rc;

		if (!boot->steer && kinds[i] != &steering_none)
			continue;
		rc = kinds[i]->attach(s);
		if (!rc) {
			s->ops = kinds[i];
			return;
		}
		if (rc != -ENOTSUP)
			sl_log(steering_log, WARNING, "port %s: steering %s: %s", boot->name,
			       kinds[i]->name, strerror(-rc));
	}
}

void steering_start(const struct boot_config *config, struct sl_root *root)
{
	for (unsigned int i = 0; i < config->n_ports; i++) {
		struct steering *s = &ports[i];

		*s = (struct steering){
			.root = root, .port = &root->port[i], .port_id = root->port[i].port_id};
		attach(s, &config->port[i]);
		root->port[i].steering = s->ops->kind;
		sl_log(steering_log, INFO, "port %s: steering %s", config->port[i].name,
		       s->ops->name);
	}
}

static int compare_addr(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* A copy, so that the snapshot is held no longer than it takes. */
static int copy_locals(struct sl_root *root, struct steering_locals *locals)
{
	uint64_t *in_use = &root->primary_snapshot_in_use;
	const struct sl_snapshot *snapshot = sl_snapshot_use(&root->arena, in_use);
	int rc = 0;

	if (snapshot) {
		const struct sl_local_address *local =
			sl_snapshot_at(snapshot, snapshot->local_addresses);

		uint32_t n = RTE_MIN(snapshot->local_addresses.count, root->max_local_addresses);

		locals->addr = calloc(n + 1, sizeof(*locals->addr));
		if (!locals->addr)
			rc = -ENOMEM;
		for (uint32_t i = 0; !rc && i < n; i++)
			if (sl_addr_is_v4(&local[i].addr))
				locals->addr[locals->n++] = sl_addr_v4(&local[i].addr);
	}
	__atomic_store_n(in_use, 0, __ATOMIC_RELEASE);
	return rc;
}

void steering_refresh(struct sl_root *root)
{
	struct steering_locals locals = {0};
	int rc = copy_locals(root, &locals);

	if (locals.n)
		qsort(locals.addr, locals.n, sizeof(*locals.addr), compare_addr);
	for (unsigned int i = 0; i < root->n_ports; i++) {
		struct steering *s = &ports[i];
		int failed = rc ? rc : s->ops->refresh(s, &locals);

		if (failed)
			sl_log(steering_log, WARNING,
			       "port %s: steering %s does not follow the configuration, packets "
			       "are "
			       "redirected instead: %s",
			       s->port->name, s->ops->name, strerror(-failed));
	}
	free(locals.addr);
}

void steering_stop(void)
{
	for (unsigned int i = 0; i < SL_MAX_PORTS; i++) {
		if (ports[i].ops)
			ports[i].ops->detach(&ports[i]);
		ports[i].ops = NULL;
	}
}
