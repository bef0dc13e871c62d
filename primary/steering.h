/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Steering: making the first receiver of a packet its owner (<sluice/owner.h>), where
 * the device can. An optimisation: what arrives elsewhere is redirected by the
 * workers, so no failure here stops anything.
 */
#ifndef PRIMARY_STEERING_H
#define PRIMARY_STEERING_H

#include <stdint.h>

#include <sluice/shm.h>

struct boot_config;
struct rte_flow;

/* One port's. The kinds of steering keep what they made here. */
struct steering {
	const struct steering_ops *ops;
	const struct sl_root *root;
	const struct sl_port *port;
	uint16_t port_id;
	int program; /* ebpf */
	int map;
	struct rte_flow **flow; /* flow */
	unsigned int n_flows;
};

/* What tells the owner of a packet to an address of ours; to any other it is the destination. */
enum steering_by {
	STEERING_BY_CLIENT,     /* the source */
	STEERING_BY_LOCAL_PORT, /* the destination's port */
};

struct steering_address {
	struct sl_addr addr;
	uint8_t by; /* enum steering_by */
};

/* The addresses of the configuration, ascending as bytes. */
struct steering_addresses {
	uint32_t n;
	struct steering_address *address;
};

/* NULL: it is not ours. */
const struct steering_address *steering_find(const struct steering_addresses *own,
					     const struct sl_addr *addr);

/* A kind of steering; each is a file, steering_*.c. */
struct steering_ops {
	enum sl_steering kind;
	const char *name;

	/* Take the device; -ENOTSUP when it can't do it. */
	int (*attach)(struct steering *s);

	/* These addresses are ours now. 0 or -errno. */
	int (*refresh)(struct steering *s, const struct steering_addresses *own);

	void (*detach)(struct steering *s);
};

extern const struct steering_ops steering_none;
extern const struct steering_ops steering_ebpf;
extern const struct steering_ops steering_flow;
extern const struct steering_ops steering_rss;

/* Choose for each port and say so in the root. */
void steering_start(const struct boot_config *config, struct sl_root *root);

/* Follow the snapshot that is current now. */
void steering_refresh(struct sl_root *root);

void steering_stop(void);

#endif
