/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

struct upload {
	char *path;
	int fd; /* -1: none is under way */
	uint64_t size;
	char id[UPLOAD_ID_SIZE];
};

struct upload *upload_new(const char *database)
{
	struct upload *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->fd = -1;
	if (asprintf(&u->path, "%s.upload", database) < 0) {
		free(u);
		return NULL;
	}
	unlink(u->path);
	return u;
}

void upload_end(struct upload *u)
{
	if (u->fd < 0)
		return;
	close(u->fd);
	unlink(u->path);
	u->fd = -1;
}

void upload_free(struct upload *u)
{
	if (!u)
		return;
	upload_end(u);
	free(u->path);
	free(u);
}

static int begin(struct upload *u, struct problem *why)
{
	uint64_t number;

	upload_end(u);
	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return problem_set(why, PROBLEM_UNAVAILABLE, "no random numbers");
	u->fd = open(u->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (u->fd < 0)
		return problem_set(why, PROBLEM_UNAVAILABLE, "%s: %s", u->path, strerror(errno));
	u->size = 0;
	snprintf(u->id, sizeof(u->id), "%016" PRIx64, number);
	return 0;
}

static int write_part(struct upload *u, uint64_t offset, const uint8_t *part, size_t len)
{
	while (len) {
		ssize_t n = pwrite(u->fd, part, len, (off_t)offset);

		if (n < 0)
			return -errno;
		part += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

const char *upload_file(const struct upload *u, const char *id, struct problem *why)
{
	if (u->fd >= 0 && strcmp(u->id, id) == 0)
		return u->path;
	problem_set(why, PROBLEM_NOT_FOUND,
		    "upload_id: no such upload is under way: it was restored, or another began");
	return NULL;
}

uint64_t upload_put(struct upload *u, const char *id, uint64_t offset, const uint8_t *part,
		    size_t len, struct problem *why)
{
	int rc;

	if (*id ? !upload_file(u, id, why) : begin(u, why) != 0)
		return 0;
	if (offset > u->size || !len) {
		problem_set(why, PROBLEM_INVALID_ARGUMENT,
			    len ? "offset: there are %" PRIu64 " bytes so far"
				: "data: is required",
			    u->size);
	} else if (offset + len > UPLOAD_MAX) {
		problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "more than %" PRIu64 " MiB",
			    UPLOAD_MAX >> 20);
	} else {
		rc = write_part(u, offset, part, len);
		if (rc == 0) {
			u->size = offset + len > u->size ? offset + len : u->size;
			return u->size;
		}
		problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "%s: %s", u->path, strerror(-rc));
		upload_end(u); /* and the room it took */
	}
	if (!*id)
		upload_end(u);
	return 0;
}

const char *upload_id(const struct upload *u)
{
	return u->id;
}
