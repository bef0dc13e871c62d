/* SPDX-License-Identifier: BSD-3-Clause */
#include "primary/backoff.h"

#include <rte_common.h>

#define LIFE_GOOD 1000 /* ms */

static unsigned int longer(unsigned int wait, unsigned int max)
{
	return wait ? RTE_MIN(2 * wait, max) : BACKOFF_MIN;
}

void backoff_ended(struct backoff *b, bool asked, bool ready, uint64_t lived, uint64_t now)
{
	if (asked || (ready && lived >= LIFE_GOOD)) {
		*b = (struct backoff){.due = now, .waiting = true};
	} else if (b->waiting) {
		return;
	} else if (ready) {
		b->due = now + RTE_MIN(b->next, BACKOFF_READY_MAX);
		b->next = longer(b->next, BACKOFF_READY_MAX);
		b->waiting = true;
	} else {
		backoff_no_start(b, now);
	}
}

void backoff_started(struct backoff *b)
{
	b->waiting = false;
}

void backoff_no_start(struct backoff *b, uint64_t now)
{
	unsigned int wait = RTE_MAX(b->next, BACKOFF_MIN);

	b->due = now + wait;
	b->next = longer(wait, BACKOFF_MAX);
	b->waiting = true;
}
