/* SPDX-License-Identifier: BSD-3-Clause */
/* What the resources of the API look like: enough to name, fill in and print them. */
#ifndef CLIENT_KIND_H
#define CLIENT_KIND_H

#include <jansson.h>

#include "ctrl/client/table.h"

struct kind {
	const char *noun;    /* on the command line */
	const char *service; /* of the API */
	const char *one;     /* its message, and in method names: Get<one> */
	const char *many;    /* List<many> */
	const char *field;   /* of create and update requests: the resource */
	const char *list;    /* of list responses: the resources */
	const char *parent; /* field that names what it is part of (NAME is PARENT/NAME), or NULL */
	const struct column *columns;
};

extern const struct kind kind_virtual_server, kind_pool, kind_backend, kind_local_pool,
	kind_interface, kind_route, kind_snat_policy;

/* The kind whose names the field `json` holds ("backendPool": pools), or NULL. */
const struct kind *kind_of_field(const char *json);

#endif
