/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CTRL_FIELDS_SNAT_H
#define CTRL_FIELDS_SNAT_H

#include <stdbool.h>

#include "ctrl/fields.h"
#include "sluice/v1/snat_policy.pb-c.h"

int fields_decode_snat(const struct fields_context *c, const Sluice__V1__SnatPolicy *m);
void fields_free_snat(struct resource *r);

#endif
