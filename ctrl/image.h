/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Backups: an sqlite database of the store's schema in memory, made while the daemon runs and
 * consistent, because it is one read of sqlite's backup interface. As a file it can take the
 * store's place; its configuration can be applied to a running daemon.
 */
#ifndef CTRL_IMAGE_H
#define CTRL_IMAGE_H

#include "ctrl/past.h"

struct sqlite3;

/*
 * The current configuration and its ids, or with all that is kept of the past. *image is to be
 * given to image_free(). -EINVAL with *why.
 */
int image_make(struct sqlite3 *db, bool history, uint8_t **image, size_t *len, uint64_t *revision,
	       struct problem *why);
void image_free(uint8_t *image);

/* The configuration in an image, checked as a store is at opening. */
int image_read(const uint8_t *image, size_t len, struct past *past, struct problem *why);

/* The same of one in a file, which is no longer the same afterwards: migrations write to it. */
int image_read_file(const char *path, struct past *past, struct problem *why);

#endif
