/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/difference.h"

#include <string.h>

#include "ctrl/rpc/schema.h"

/* ---- fields ---- */

static bool same_value(const ProtobufCFieldDescriptor *field, const void *a, const void *b)
{
	if (field->type == PROTOBUF_C_TYPE_STRING)
		return !strcmp(*(char *const *)a ?: "", *(char *const *)b ?: "");
	return !memcmp(a, b, schema_value_size(field));
}

/* No resource has messages in it: a stored pool holds no backends. */
static bool same_field(const ProtobufCFieldDescriptor *field, const void *a, const void *b)
{
	const char *x = schema_value(field, a), *y = schema_value(field, b);
	size_t n, size = schema_value_size(field);

	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
	    *(uint32_t *)schema_quantifier(field, a) != *(uint32_t *)schema_quantifier(field, b))
		return false;
	if (field->label != PROTOBUF_C_LABEL_REPEATED)
		return same_value(field, x, y);
	n = *(size_t *)schema_quantifier(field, a);
	if (n != *(size_t *)schema_quantifier(field, b))
		return false;
	x = *(char *const *)x;
	y = *(char *const *)y;
	for (size_t i = 0; i < n; i++)
		if (!same_value(field, x + i * size, y + i * size))
			return false;
	return true;
}

static bool list_fields(struct rpc_call *call, Sluice__V1__ResourceChange *change,
			const ProtobufCMessage *before, const ProtobufCMessage *after)
{
	const ProtobufCMessageDescriptor *type = before->descriptor;

	change->fields = rpc_alloc(call, type->n_fields * sizeof(*change->fields));
	if (!change->fields)
		return false;
	for (unsigned int i = 0; i < type->n_fields; i++)
		if (strcmp(type->fields[i].name, "etag") &&
		    !same_field(&type->fields[i], before, after))
			change->fields[change->n_fields++] = (char *)type->fields[i].name;
	return true;
}

/* ---- resources ---- */

/* The members of the oneof have the order and the types of enum resource_kind, nearly. */
static Sluice__V1__Resource *show(struct rpc_call *call, const struct resource *r)
{
	Sluice__V1__Resource *shown = rpc_message(call, &sluice__v1__resource__descriptor);

	if (!shown)
		return NULL;
	for (unsigned int i = 0; i < sluice__v1__resource__descriptor.n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &sluice__v1__resource__descriptor.fields[i];

		if (field->descriptor != r->message->descriptor)
			continue;
		*(uint32_t *)schema_quantifier(field, shown) = field->id;
		*(ProtobufCMessage **)schema_value(field, shown) = r->message;
	}
	return shown;
}

/* A port's interface without addresses, which is there whether it is configured or not. */
static bool unconfigured(const struct resource *r)
{
	return !r || (r->kind == RESOURCE_INTERFACE && r->interface.n == 0);
}

static bool list(struct rpc_call *call, struct difference *d, const struct resource *before,
		 const struct resource *after)
{
	Sluice__V1__ResourceChange *change =
		rpc_message(call, &sluice__v1__resource_change__descriptor);
	const struct resource *r = after ? after : before;
	char path[RESOURCE_PATH_SIZE];

	if (!d->changes)
		d->changes = rpc_alloc(call, d->limit * sizeof(*d->changes));
	if (!change || !d->changes)
		return false;
	change->resource = rpc_format(call, "%s", resource_path(r->kind, r->name, path));
	change->before = before ? show(call, before) : NULL;
	change->after = after ? show(call, after) : NULL;
	if (before && after && !list_fields(call, change, before->message, after->message))
		return false;
	d->changes[d->n++] = change;
	return change->resource && (!before || change->before) && (!after || change->after);
}

bool difference_add(struct rpc_call *call, struct difference *d, const struct resource *before,
		    const struct resource *after)
{
	const struct resource *r = after ? after : before;
	bool port = r->kind == RESOURCE_INTERFACE;

	if (unconfigured(before) && unconfigured(after))
		return true;
	if (before && after && before->packed_len == after->packed_len &&
	    !memcmp(before->packed, after->packed, before->packed_len))
		return true;
	*(port || (before && after) ? &d->updated : after ? &d->created : &d->deleted) += 1;
	return d->n >= d->limit || list(call, d, before, after);
}

bool difference_of_set(struct rpc_call *call, struct difference *d, const struct change_set *set)
{
	bool ok = true;

	for (size_t i = 0; i < set->n && ok; i++)
		ok = difference_add(call, d, set->list[i].before, set->list[i].after);
	return ok;
}

static int order(const struct resource *a, const struct resource *b)
{
	return a->kind != b->kind ? (int)a->kind - (int)b->kind : strcmp(a->name, b->name);
}

bool difference_of_pasts(struct rpc_call *call, struct difference *d, const struct past *before,
			 const struct past *after)
{
	bool ok = true;

	for (size_t i = 0, j = 0; ok && (i < before->n || j < after->n);) {
		const struct resource *a = i < before->n ? before->list[i] : NULL;
		const struct resource *b = j < after->n ? after->list[j] : NULL;
		int o = !a ? 1 : !b ? -1 : order(a, b);

		ok = difference_add(call, d, o <= 0 ? a : NULL, o >= 0 ? b : NULL);
		i += o <= 0;
		j += o >= 0;
	}
	return ok;
}
