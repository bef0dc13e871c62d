/* SPDX-License-Identifier: BSD-3-Clause */
/* Rules for the endpoints of a virtual server: addresses, ports and protocols. */
#ifndef CTRL_FIELDS_ENDPOINTS_H
#define CTRL_FIELDS_ENDPOINTS_H

#include "ctrl/fields.h"
#include "sluice/v1/virtual_server.pb-c.h"

/* Checked and decoded: fields_decode(). */
int fields_decode_endpoints(const struct fields_context *c, const Sluice__V1__VirtualServer *m);

/* In their canonical form: fields_canonical(). */
void fields_canonical_endpoints(Sluice__V1__VirtualServer *m);

/* Is every endpoint, or any, of this protocol (IPPROTO_*)? */
bool fields_all_endpoints(const struct resource *server, uint8_t proto);
bool fields_any_endpoint(const struct resource *server, uint8_t proto);

#endif
