/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Limits that are part of the shared-memory ABI. Everything that an operator
 * may size (connections, virtual servers, ...) is not here but in the root
 * region, from the boot configuration.
 */
#ifndef SL_LIMITS_H
#define SL_LIMITS_H

#define SL_MAX_WORKERS 16 /* worker slots */
#define SL_MAX_PORTS   8  /* ports, ids 0..7; sets of ports are 32-bit masks */
#define SL_NAME_LEN    64 /* any name, with its NUL */
#define SL_BURST       32 /* packets a burst, receive and transmit */

/*
 * lcore ids. The library wants them distinct between the processes of one
 * instance; a slot has two, used in turn, so that a replacement can start
 * while its predecessor is still there.
 */
#define SL_LCORE_PRIMARY      0
#define SL_LCORE_WORKER(w, k) (1 + 2 * (w) + (k)) /* k is 0 or 1 */
#define SL_LCORE_CTRL         127

/* Local ports (FullNAT source ports) handed out, host byte order. */
#define SL_LOCAL_PORT_MIN 1024
#define SL_LOCAL_PORT_MAX 65535

#endif
