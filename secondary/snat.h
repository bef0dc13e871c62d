/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SNAT_H
#define SNAT_H

#include <sluice/snat.h>
#include <sluice/virtual_server.h>

/* Group of local ports (local_port.h) that a connection takes its own from: by where it goes. */
static inline uint32_t snat_group(const struct sl_tuple *out)
{
	return sl_virtual_hash(out->saddr, out->sport, out->proto);
}

#endif
