/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A backup that a client sends in parts, because it is larger than a request can be. The parts go
 * to a file beside the database, not to memory. There is one at a time: who begins another ends
 * it. A daemon that dies leaves the file, and the next one removes it.
 *
 * All but making and freeing it is done on one thread, history's.
 */
#ifndef CTRL_UPLOAD_H
#define CTRL_UPLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "ctrl/problem.h"

#define UPLOAD_MAX     (UINT64_C(1) << 30) /* bytes of all parts */
#define UPLOAD_ID_SIZE 17                  /* with its end */

struct upload;

/* Of a daemon with that database. NULL: no memory. */
struct upload *upload_new(const char *database);
void upload_free(struct upload *u);

/*
 * Put a part where it belongs. `id` "" begins anew, at 0; what is there already may be sent again.
 * Returns what there is from the beginning on, 0 with *why; upload_id() is what to go on by.
 */
uint64_t upload_put(struct upload *u, const char *id, uint64_t offset, const uint8_t *part,
		    size_t len, struct problem *why);
const char *upload_id(const struct upload *u);

/* Where it is; NULL with *why: no such one is under way. */
const char *upload_file(const struct upload *u, const char *id, struct problem *why);

/* It has become what it was sent for. */
void upload_end(struct upload *u);

#endif
