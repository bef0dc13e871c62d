/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/past.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/store_read.h"
#include "sluice/v1/config.pb-c.h"

static int no_memory(struct problem *why)
{
	return problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
}

/* Takes the resource, also when it fails. */
static int add(struct past *past, struct resource *r, struct problem *why)
{
	if (past->n == past->room) {
		size_t room = past->room ? 2 * past->room : 64;
		void *list = realloc(past->list, room * sizeof(*past->list));

		if (!list) {
			resource_free(r);
			return no_memory(why);
		}
		past->list = list;
		past->room = room;
	}
	past->list[past->n++] = r;
	return 0;
}

void past_free(struct past *past)
{
	for (size_t i = 0; i < past->n; i++)
		resource_free(past->list[i]);
	free(past->list);
	*past = (struct past){0};
}

/* ---- from the store ---- */

struct reading {
	struct past *past;
	struct problem *why;
};

static int on_resource(void *arg, enum resource_kind kind, const char *name, const void *message,
		       size_t len)
{
	const struct reading *reading = arg;
	struct resource *r;

	if (kind < 0 || kind >= RESOURCE_KIND_MAX)
		return problem_set(reading->why, PROBLEM_DATA_LOSS, "resource kind %d is not known",
				   (int)kind);
	r = resource_unpack(kind, name, message, len, reading->why);
	return r ? add(reading->past, r, reading->why) : -EINVAL;
}

int past_read(sqlite3 *db, uint64_t revision, struct past *past, struct problem *why)
{
	struct reading reading = {past, why};

	*past = (struct past){.revision = revision};
	return store_read_config(db, &past->revision, on_resource, &reading, why);
}

/* ---- from a message ---- */

static int order(const struct resource *a, const struct resource *b)
{
	return a->kind != b->kind ? (a->kind > b->kind) - (a->kind < b->kind)
				  : strcmp(a->name, b->name);
}

static int by_order(const void *a, const void *b)
{
	return order(*(struct resource *const *)a, *(struct resource *const *)b);
}

static int add_new(struct past *past, enum resource_kind kind, const char *pool,
		   const void *message, struct problem *why)
{
	struct resource *r = resource_new(kind, pool, message, why);

	return r ? add(past, r, why) : -EINVAL;
}

static int add_all(struct past *past, enum resource_kind kind, const char *pool,
		   void *const *messages, size_t n, struct problem *why)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++)
		rc = add_new(past, kind, pool, messages[i], why);
	return rc;
}

static int add_config(struct past *past, const Sluice__V1__Config *c, struct problem *why)
{
	int rc;

#define ADD(kind, field) \
	add_all(past, RESOURCE_##kind, NULL, (void *const *)c->field, c->n_##field, why)
	(void)((rc = ADD(INTERFACE, interfaces)) || (rc = ADD(ROUTE, routes)) ||
	       (rc = ADD(LOCAL_ADDRESS_POOL, local_address_pools)) ||
	       (rc = ADD(BACKEND_POOL, backend_pools)) ||
	       (rc = ADD(VIRTUAL_SERVER, virtual_servers)) ||
	       (rc = ADD(SNAT_POLICY, snat_policies)) ||
	       (c->timeouts && (rc = add_new(past, RESOURCE_TIMEOUTS, NULL, c->timeouts, why))));
#undef ADD
	for (size_t i = 0; i < c->n_backend_pools && !rc; i++)
		rc = add_all(past, RESOURCE_BACKEND, c->backend_pools[i]->name,
			     (void *const *)c->backend_pools[i]->backends,
			     c->backend_pools[i]->n_backends, why);
	return rc;
}

static int check_twice(const struct past *past, struct problem *why)
{
	char path[RESOURCE_PATH_SIZE];

	for (size_t i = 1; i < past->n; i++)
		if (!order(past->list[i - 1], past->list[i]))
			return problem_set(
				why, PROBLEM_INVALID_ARGUMENT, "%s: is there twice",
				resource_path(past->list[i]->kind, past->list[i]->name, path));
	return 0;
}

/* What is only in the base comes along, as a copy. */
static int add_rest(struct past *past, const struct past *base, struct problem *why)
{
	size_t named = past->n;
	int rc = 0;

	for (size_t i = 0; i < base->n && !rc; i++) {
		const struct resource *r = base->list[i];

		if (named && bsearch(&r, past->list, named, sizeof(*past->list), by_order))
			continue;
		r = resource_unpack(r->kind, r->name, r->packed, r->packed_len, why);
		rc = r ? add(past, (struct resource *)r, why) : -EINVAL;
	}
	return rc;
}

static void sort(struct past *past)
{
	if (past->n)
		qsort(past->list, past->n, sizeof(*past->list), by_order);
}

int past_from_config(const ProtobufCMessage *config, const struct past *base, struct past *past,
		     struct problem *why)
{
	int rc;

	*past = (struct past){0};
	rc = add_config(past, (const Sluice__V1__Config *)config, why);
	sort(past);
	if (!rc)
		rc = check_twice(past, why);
	if (!rc && base)
		rc = add_rest(past, base, why);
	sort(past);
	return rc;
}
