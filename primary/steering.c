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
static uint32_t followed; /* own_epoch of the snapshot that all ports follow; 0: none */

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

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct sl_addr)); /* of a struct steering_address its first */
}

const struct steering_address *steering_find(const struct steering_addresses *own,
					     const struct sl_addr *addr)
{
	return own->n ? bsearch(addr, own->address, own->n, sizeof(*own->address), compare) : NULL;
}

static uint8_t steered_by(const struct sl_own_address *a)
{
	return a->flags & SL_OWN_LOCAL && !(a->flags & SL_OWN_VIRTUAL) ? STEERING_BY_LOCAL_PORT
								       : STEERING_BY_CLIENT;
}

static int copy_addresses(const struct sl_snapshot *snapshot, struct steering_addresses *own)
{
	const struct sl_own_address *hash = sl_snapshot_at(snapshot, snapshot->own_hash);

	own->address = calloc(snapshot->own_hash.count, sizeof(*own->address));
	if (!own->address)
		return -ENOMEM;
	for (uint32_t i = 0; i < snapshot->own_hash.count; i++)
		if (hash[i].flags)
			own->address[own->n++] = (struct steering_address){
				.addr = hash[i].addr, .by = steered_by(&hash[i])};
	qsort(own->address, own->n, sizeof(*own->address), compare);
	return 0;
}

/* A copy, so that the snapshot is held no longer than it takes. Returns whether there is news. */
static bool changed(struct sl_root *root, struct steering_addresses *own, int *rc)
{
	uint64_t *in_use = &root->primary_snapshot_in_use;
	const struct sl_snapshot *snapshot = sl_snapshot_use(&root->arena, in_use);
	bool news = snapshot && snapshot->own_epoch != followed;

	*rc = news ? copy_addresses(snapshot, own) : 0;
	if (news)
		followed = *rc ? 0 : snapshot->own_epoch;
	__atomic_store_n(in_use, 0, __ATOMIC_RELEASE);
	return news;
}

static void refresh(struct steering *s, const struct steering_addresses *own, int rc)
{
	if (!rc)
		rc = s->ops->refresh(s, own);
	if (!rc)
		return;
	followed = 0;
	sl_log(steering_log, WARNING,
	       "port %s: steering %s does not follow the configuration, packets are redirected "
	       "instead: %s",
	       s->port->name, s->ops->name, strerror(-rc));
}

void steering_refresh(struct sl_root *root)
{
	struct steering_addresses own = {0};
	int rc;

	if (!changed(root, &own, &rc))
		return;
	for (unsigned int i = 0; i < root->n_ports; i++)
		refresh(&ports[i], &own, rc);
	free(own.address);
}

void steering_stop(void)
{
	for (unsigned int i = 0; i < SL_MAX_PORTS; i++) {
		if (ports[i].ops)
			ports[i].ops->detach(&ports[i]);
		ports[i].ops = NULL;
	}
}
