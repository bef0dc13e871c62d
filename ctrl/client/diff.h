/* SPDX-License-Identifier: BSD-3-Clause */
/* What differs between two configurations, for people. */
#ifndef CLIENT_DIFF_H
#define CLIENT_DIFF_H

#include <jansson.h>

/*
 * Print the ResourceChanges of an answer: "+ virtual_servers[web]" for what is created, "-" for
 * what is deleted, "~" with a line for each field for what changes. In colour on a terminal.
 */
void diff_print(json_t *changes);

/* "1 created, 2 updated, 0 deleted" of an answer's counts, in `buffer`. */
const char *diff_counts(json_t *answer, char *buffer, size_t size);

#endif
