/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections across a full restart. A worker that is told to end for good writes those it has to a
 * checkpoint (<sluice/checkpoint.h>); the first worker of the next primary takes
 * them up when it gets its first snapshot, before that no packet has an effect. The file is
 * meant for a tmpfs and one machine: entries are struct sl_conn as they are in memory.
 *
 * The header says who wrote it; a file of another format, number of workers (the primary could not
 * deal it out anew) or seed, a cut or a damaged one is refused as a whole and set aside as
 * worker-N.refused. An entry is taken up if the configuration still has its virtual server,
 * backend and local address, if it is this worker's to own, and if its time is not over; times are
 * carried by the wall clock, since the monotonic one may have begun anew.
 */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H

struct worker;

/* The worker has sent its last packet. 0 or -errno, logged. */
int checkpoint_write(struct worker *w);

/* Once in a slot's life, with a snapshot in use. */
void checkpoint_read(struct worker *w);

#endif
