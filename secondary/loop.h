/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LOOP_H
#define LOOP_H

#include <signal.h>

struct worker;

/* The first turn of a process, which tells for how long nobody worked in the slot. */
void loop_first(struct worker *w);

/* Work until *stop is set; on return every buffer has left the worker's hands. */
void loop_run(struct worker *w, const volatile sig_atomic_t *stop);

#endif
