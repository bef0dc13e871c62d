/* SPDX-License-Identifier: BSD-3-Clause */
/* The boot configuration of the control daemon, conf/ctrl.yaml: read once at its start. */
#ifndef CTRL_SETTINGS_H
#define CTRL_SETTINGS_H

#include <stddef.h>

struct rpc_config;

/*
 * Read `path` into `config`, which rpc_config_init() has filled. 0, or -errno with
 * `FILE:LINE: reason` in `why`.
 */
int settings_load(const char *path, struct rpc_config *config, char *why, size_t why_len);

#endif
