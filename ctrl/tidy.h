/* SPDX-License-Identifier: BSD-3-Clause */
/* What the store keeps no longer is removed, and its copy caught up, in slices between requests. */
#ifndef CTRL_TIDY_H
#define CTRL_TIDY_H

#include "ctrl/background.h"
#include "ctrl/store.h"

struct tidy;

/* NULL with errno. */
struct tidy *tidy_new(struct background *background, struct store *store);

/* After the background's end. */
void tidy_free(struct tidy *tidy);

/* There may be something; nothing when it is at work already. */
void tidy_begin(struct tidy *tidy);

#endif
