/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What others ask of the primary, which sleeps and so is not reached by a ring:
 * one datagram each way on a SOCK_SEQPACKET unix socket, <runtime dir>/primary.sock,
 * mode 0600. Requests of another size, unknown operations and workers out
 * of range are answered with -EINVAL and a sentence.
 */
#ifndef SL_PRIMARY_RPC_H
#define SL_PRIMARY_RPC_H

#include <stdint.h>

enum sl_primary_op {
	SL_PRIMARY_RESTART_WORKER = 1, /* argument: worker id; answered when it runs again */
	SL_PRIMARY_SNAPSHOT,           /* a snapshot was published: refresh steering */
	SL_PRIMARY_REPAIR_EAL, /* from eal.c: free the locks of a process that died inside */
};

struct sl_primary_request {
	uint64_t id;
	uint32_t op; /* enum sl_primary_op */
	uint32_t argument;
};

struct sl_primary_answer {
	uint64_t id;
	int32_t status; /* 0 or -errno */
	uint32_t reserved;
	char text[112]; /* a sentence for the operator when status is not 0; NUL terminated */
};

#endif
