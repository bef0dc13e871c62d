/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports: devices with one queue pair for each worker. The primary has no queue itself. */
#ifndef PRIMARY_PORTS_H
#define PRIMARY_PORTS_H

struct boot_config;
struct sl_root;

/* Configure and start every port, and describe it in the root. 0 or -errno, logged. */
int ports_start(const struct boot_config *config, struct sl_root *root);

/* Stop and close them; no worker runs any more. */
void ports_stop(struct sl_root *root);

#endif
