/* SPDX-License-Identifier: BSD-3-Clause */
/* Templates of persistence that a former primary's workers left (<sluice/template.h>). */
#ifndef PRIMARY_TEMPLATES_H
#define PRIMARY_TEMPLATES_H

struct sl_root;

/*
 * Take up the file, if there is one, into the empty table; before any worker runs. Of a damaged
 * one, or one of another seed, nothing is taken: it is set aside as templates.refused, and logged.
 */
void templates_load(struct sl_root *root);

#endif
