/* SPDX-License-Identifier: BSD-3-Clause */
/* KEY=VALUE on the command line: fields of a resource, filters of a list. */
#ifndef CLIENT_ASSIGN_H
#define CLIENT_ASSIGN_H

#include <jansson.h>

/*
 * Set the field of `object`, a `message` of the .proto, that "KEY=VALUE" names; an empty
 * VALUE unsets it. A usage error (said on standard error, about `what`) when there is none or the
 * value is of another type.
 */
int assign(const char *message, const char *what, json_t *object, const char *assignment);

#endif
