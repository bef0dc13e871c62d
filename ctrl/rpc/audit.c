/* SPDX-License-Identifier: BSD-3-Clause */
/* The audit log, listed. */
#include "ctrl/rpc/page.h"
#include "ctrl/rpc/revision.h"
#include "ctrl/rpc/services.h"
#include "ctrl/store_read.h"
#include "sluice/v1/audit.pb-c.h"

struct listing {
	struct rpc_call *call;
	struct page page;
	Sluice__V1__AuditEntry **list;
};

static int on_entry(void *arg, const struct store_audit *entry)
{
	struct listing *l = arg;
	struct rpc_call *call = l->call;
	Sluice__V1__AuditEntry *e;

	if (!page_take(&l->page, entry->id))
		return 0;
	e = rpc_message(call, &sluice__v1__audit_entry__descriptor);
	if (!e)
		return 1;
	e->id = entry->id;
	e->time = revision_time(call, entry->time / 1000);
	if (e->time)
		e->time->nanos = (int32_t)(entry->time % 1000) * 1000000;
	e->caller = rpc_format(call, "%s", entry->caller);
	e->source = rpc_format(call, "%s", entry->source);
	e->method = rpc_format(call, "%s", entry->method);
	e->resource = rpc_format(call, "%s", entry->resource);
	e->revision = entry->revision;
	e->code = (char *)problem_code_name(entry->code);
	e->message = rpc_format(call, "%s", entry->message);
	l->list[l->page.n - 1] = e;
	return 0;
}

static uint64_t milliseconds(const Google__Protobuf__Timestamp *t)
{
	return t && t->seconds > 0 ? (uint64_t)t->seconds * 1000 + (uint64_t)t->nanos / 1000000 : 0;
}

static ProtobufCMessage *read_entries(struct rpc_call *call, struct revision_read *read)
{
	const Sluice__V1__ListAuditEntriesRequest *request = (const void *)rpc_call_request(call);
	Sluice__V1__ListAuditEntriesResponse *response =
		rpc_message(call, &sluice__v1__list_audit_entries_response__descriptor);
	struct listing listing = {.call = call};
	struct store_audit_filter filter = {
		.caller = request->caller,
		.method = request->method,
		.resource = request->resource,
		.revision = request->revision,
		.refused = request->refused,
		.since = milliseconds(request->since),
		.until = milliseconds(request->until),
	};

	if (!page_begin(&listing.page, request->page_size, request->page_token, &read->why) ||
	    !response)
		return NULL;
	filter.before = listing.page.before;
	listing.list = rpc_alloc(call, listing.page.size * sizeof(*listing.list));
	if (!listing.list || store_list_audit(read->db, &filter, listing.page.size + 1, on_entry,
					      &listing, &read->why))
		return NULL;
	response->entries = listing.list;
	response->n_entries = listing.page.n;
	response->next_page_token = page_token(call, &listing.page);
	return response->next_page_token ? &response->base : NULL;
}

void audit_list(struct rpc_call *call)
{
	revision_run(call, read_entries);
}
