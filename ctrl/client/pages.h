/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists, put together from their pages. */
#ifndef CLIENT_PAGES_H
#define CLIENT_PAGES_H

#include "ctrl/client/table.h"

/*
 * Append what all pages of service/method have in `list` to `all`. `request` (the caller's)
 * has the filters. CLIENT_OK, or an exit code after a complaint.
 */
int pages_collect(const struct client *client, const char *service, const char *method,
		  json_t *request, const char *list, json_t *all);

/* A list with filters and --limit, as a command. */
struct pages {
	const char *service, *method;
	const char *request; /* message, whose fields are the filters */
	const char *list;    /* of the response */
	const char *message; /* of its elements */
	const struct column *columns;
};

/* Print those that fit the filters in `request` (taken over), at most --limit (1000). */
int pages_print(const struct client *client, const struct pages *pages, json_t *request);

/* "KEY=VALUE"... as a request for pages_print; NULL after a usage error. */
json_t *pages_filters(const struct pages *pages, int argc, char **argv);

#endif
