/* SPDX-License-Identifier: BSD-3-Clause */
/* Becoming the one control daemon of a running instance. */
#ifndef CTRL_JOIN_H
#define CTRL_JOIN_H

#include <sluice/shm.h>

#include "ctrl/options.h"

/*
 * Take the daemon's lock (for the life of the process), wait, bounded, for the primary, join it
 * as a secondary. NULL with the reason logged.
 */
struct sl_root *join_instance(const char *program, const struct options *options);

#endif
