/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finding and writing templates (<sluice/template.h>), against other workers that do the same. All
 * writing is by compare-and-swap from what was seen: who comes second looks again.
 */
#ifndef TEMPLATE_H
#define TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/template.h>

/* A look at a client's bucket. */
struct template_look {
	struct sl_template *at; /* its template, or the place for it */
	struct sl_template was; /* what stood there; may be torn, then nothing can be put */
	uint32_t now;           /* tick */
	bool found;             /* it is the client's, and not expired */
};

void template_look(const struct sl_templates *t, uint64_t key, uint32_t now,
		   struct template_look *look);

enum template_result {
	TEMPLATE_PUT,
	TEMPLATE_LOST, /* another worker was faster: look again */
};

/*
 * Put `next`, of the same key, where was looked. Two workers may have found different places for a
 * client that had no template. Each looks for the other's behind its own (Dekker 1965: the
 * swap comes before the loads, sequentially consistent), and who sees one takes its own back; so at
 * most one stays that anybody has acted upon. `last`: take it as it is.
 */
enum template_result template_put(const struct sl_templates *t, const struct template_look *look,
				  const struct sl_template *next, bool last);

/* Let the client's template last until then at least, if it leads to this backend. */
void template_extend(const struct sl_templates *t, uint64_t key, uint32_t backend,
		     uint32_t expires);

#endif
