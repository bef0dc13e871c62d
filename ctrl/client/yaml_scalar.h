/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CLIENT_YAML_SCALAR_H
#define CLIENT_YAML_SCALAR_H

#include <jansson.h>

/*
 * A plain scalar by the core schema (YAML 1.2, section 10.3.2). `text` has a NUL
 * behind its `len` bytes. NULL: a number out of range, or not UTF-8.
 */
json_t *yaml_scalar_plain(const char *text, size_t len);

/* Whether it would be read as something else than a string, so that it needs quotes. */
int yaml_scalar_is_typed(const char *text, size_t len);

#endif
