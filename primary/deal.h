/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checkpoints (<sluice/checkpoint.h>) dealt out anew: when they were written by another number of
 * workers than there are now, each connection goes to the file of the worker that owns its client,
 * and the one whom its local port names gets a stub (secondary/stub.h). Before any worker starts.
 *
 * The new files are made in a directory of their own, which then changes places with the old one by
 * one system call: whoever dies over it leaves the one or the other. Files that can't be used are
 * set aside (worker-N.refused); what can't be written leaves all as it was, and is refused by the
 * workers then.
 */
#ifndef PRIMARY_DEAL_H
#define PRIMARY_DEAL_H

#include <stdint.h>

/* What was done is logged. */
void deal_checkpoints(const char *runtime_dir, unsigned int n_workers, uint64_t seed);

#endif
