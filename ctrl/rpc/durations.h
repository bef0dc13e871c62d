/* SPDX-License-Identifier: BSD-3-Clause */
/* How calls ended and how long those took that change something, by method, for /metrics. */
#ifndef CTRL_RPC_DURATIONS_H
#define CTRL_RPC_DURATIONS_H

#include "ctrl/problem.h"

struct rpc_method;
struct metrics_text;

/* A call has ended. */
void durations_add(const struct rpc_method *method, enum problem_code code, double seconds);

void durations_write(struct metrics_text *text);

#endif
