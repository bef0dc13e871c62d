/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A YAML (so also JSON) file as JSON. Strict: one document; no anchors, aliases, tags,
 * duplicate or complex keys; plain scalars are typed by the core schema of YAML 1.2 (null, bool,
 * int, float), quoted ones are strings. Size and nesting are bounded.
 */
#ifndef CLIENT_YAML_IN_H
#define CLIENT_YAML_IN_H

#include <jansson.h>

#define YAML_FILE_MAX  ((size_t)16 << 20) /* as much as the daemon takes */
#define YAML_DEPTH_MAX 32

/* Where each value stood; the tree has the shape of the JSON, members in their order there. */
struct yaml_place {
	unsigned int line; /* from 1 */
	unsigned int n_children;
	struct yaml_place *child;
};

/*
 * Read `path` ("-": standard input). NULL with "FILE:LINE: reason" in `why` when it
 * cannot be. The places are filled in and have to be freed when the result is not NULL.
 */
json_t *yaml_load(const char *path, struct yaml_place *places, char *why, size_t why_len);

void yaml_places_free(struct yaml_place *places);

/*
 * The line of the value that a server's message names by its path, such as
 * "config.virtualServers[3].port: ..." or "virtual_servers[web].port: ..."; that of the nearest
 * value around it when it isn't in the file; 0 when the message names none.
 */
unsigned int yaml_line_of(const struct yaml_place *places, json_t *value, const char *message);

#endif
