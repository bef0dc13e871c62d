/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/client/pages.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/client/assign.h"
#include "ctrl/client/command.h"
#include "ctrl/client/rpc.h"
#include "ctrl/client/term.h"

#define PAGE_SIZE  1000
#define LIMIT      1000
#define SLOW_PAGES 5 /* from here on there is progress to be seen */

/* Until there are more than `limit`. `*more`: some are left. */
static int collect(const struct client *client, const char *service, const char *method,
		   json_t *filters, const char *list, size_t limit, json_t *all, bool *more)
{
	char token[256] = "";
	int result = CLIENT_OK;

	for (unsigned int n = 0; result == CLIENT_OK && json_array_size(all) <= limit; n++) {
		json_t *request = json_copy(filters), *page;
		const char *next;

		json_object_set_new(request, "pageSize", json_integer(PAGE_SIZE));
		json_object_set_new(request, "pageToken", json_string(token));
		result = rpc_call_or_complain(client, service, method, request, &page);
		if (result != CLIENT_OK)
			break;
		json_array_extend(all, json_object_get(page, list));
		next = json_string_value(json_object_get(page, "nextPageToken"));
		if (next && strcmp(next, token) == 0) /* it would never end */
			next = NULL;
		snprintf(token, sizeof(token), "%s", next ? next : "");
		json_decref(page);
		if (!token[0])
			break;
		if (n >= SLOW_PAGES)
			term_progress("%zu so far", json_array_size(all));
	}
	term_progress("%s", "");
	*more = token[0] || json_array_size(all) > limit;
	return result;
}

int pages_collect(const struct client *client, const char *service, const char *method,
		  json_t *request, const char *list, json_t *all)
{
	bool more;

	return collect(client, service, method, request, list, SIZE_MAX - 1, all, &more);
}

static int read_limit(const struct client *client, size_t *limit)
{
	unsigned long number;

	*limit = LIMIT;
	if (!client->limit)
		return CLIENT_OK;
	if (!observe_number(client->limit, &number) || number == 0)
		return client_usage_error("--limit %s: a number from 1", client->limit);
	*limit = number;
	return CLIENT_OK;
}

int pages_print(const struct client *client, const struct pages *pages, json_t *request)
{
	json_t *all = json_array();
	bool more = false;
	size_t limit;
	int result = read_limit(client, &limit);

	if (result == CLIENT_OK)
		result = collect(client, pages->service, pages->method, request, pages->list, limit,
				 all, &more);
	while (json_array_size(all) > limit)
		json_array_remove(all, json_array_size(all) - 1);
	if (result == CLIENT_OK && client->output == CLIENT_TABLE)
		table_print(client, pages->columns, pages->message, all);
	else if (result == CLIENT_OK)
		result = client_print(client, json_pack("{sO}", pages->list, all));
	if (result == CLIENT_OK && more)
		fprintf(stderr, "sluicectl: there are more than %zu: filter, or --limit\n", limit);
	json_decref(request);
	json_decref(all);
	return result;
}

json_t *pages_filters(const struct pages *pages, int argc, char **argv)
{
	json_t *request = json_object();

	for (int i = 0; i < argc; i++) {
		if (assign(pages->request, "the filters", request, argv[i]) == CLIENT_OK)
			continue;
		json_decref(request);
		return NULL;
	}
	return request;
}
