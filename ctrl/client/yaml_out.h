/* SPDX-License-Identifier: BSD-3-Clause */
/* JSON of the API as YAML: snake_case keys, short enum names, as in the files of `apply -f`. */
#ifndef CLIENT_YAML_OUT_H
#define CLIENT_YAML_OUT_H

#include <stdio.h>

#include <jansson.h>

/* 0 or -errno. */
int yaml_print(FILE *to, json_t *value);

/*
 * The short form of an enum's value, in `buffer`: of "PROTOCOL_TCP" in field "protocol"
 * it is "tcp". Other strings come back as they are.
 */
const char *enum_short(const char *field, const char *value, char *buffer, size_t size);

#endif
