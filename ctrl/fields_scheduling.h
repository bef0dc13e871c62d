/* SPDX-License-Identifier: BSD-3-Clause */
/* The fields that say how a virtual server's new connections come to a backend. */
#ifndef CTRL_FIELDS_SCHEDULING_H
#define CTRL_FIELDS_SCHEDULING_H

#include "ctrl/fields.h"
#include "sluice/v1/backend_pool.pb-c.h"
#include "sluice/v1/virtual_server.pb-c.h"

/* Defaults filled in: fields_clean(). */
void fields_clean_scheduling(Sluice__V1__VirtualServer *m);
void fields_clean_backend_limit(Sluice__V1__Backend *m);

/* Checked and decoded: fields_decode(). The protocol is decoded before. */
int fields_decode_scheduling(const struct fields_context *c, const Sluice__V1__VirtualServer *m);
int fields_decode_pool_scheduling(const struct fields_context *c, const Sluice__V1__BackendPool *m);
int fields_decode_backend_limit(const struct fields_context *c, const Sluice__V1__Backend *m);

#endif
