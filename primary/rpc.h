/* SPDX-License-Identifier: BSD-3-Clause */
/* The server of <sluice/primary_rpc.h>: who asks is ctrl, or a process that starts. */
#ifndef PRIMARY_RPC_H
#define PRIMARY_RPC_H

struct sl_root;

/* Listen on <runtime_dir>/primary.sock. 0 or -errno, logged. */
int rpc_start(const char *runtime_dir, struct sl_root *root);
void rpc_stop(void);

#endif
