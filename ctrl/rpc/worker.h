/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CTRL_RPC_WORKER_H
#define CTRL_RPC_WORKER_H

#include <stdint.h>

#include "ctrl/rpc/call.h"
#include "sluice/v1/worker.pb-c.h"

/* NULL when the call's memory is used up. */
Sluice__V1__Worker *worker_view(struct rpc_call *call, uint32_t worker);

#endif
