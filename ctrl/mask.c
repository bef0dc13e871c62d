/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/mask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/rpc/schema.h"

/* The next name and its length; false at the end. */
static bool next_name(const char **rest, const char **name, size_t *len)
{
	*name = *rest;
	*len = strcspn(*rest, ",");
	*rest += *len;
	if (**rest == ',')
		++*rest;
	return *len > 0;
}

bool mask_has(const char *mask, const char *field)
{
	const char *name;
	size_t len;

	while (next_name(&mask, &name, &len))
		if ((len == 1 && *name == '*') ||
		    (len == strlen(field) && !strncmp(name, field, len)))
			return true;
	return false;
}

static bool is_known(const ProtobufCMessageDescriptor *type, const char *name, size_t len)
{
	char field[RESOURCE_NAME_SIZE];

	if (len == 1 && *name == '*')
		return true;
	snprintf(field, sizeof(field), "%.*s", (int)len, name);
	return strcmp(field, "name") && strcmp(field, "etag") &&
	       protobuf_c_message_descriptor_get_field_by_name(type, field);
}

static void copy_field(const ProtobufCFieldDescriptor *field, const void *from, void *to)
{
	size_t size = field->label == PROTOBUF_C_LABEL_REPEATED ? sizeof(void *)
								: schema_value_size(field);
	size_t counter =
		field->label == PROTOBUF_C_LABEL_REPEATED ? sizeof(size_t) : sizeof(uint32_t);

	memcpy((char *)to + field->offset, (const char *)from + field->offset, size);
	if (field->label == PROTOBUF_C_LABEL_REPEATED || field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		memcpy((char *)to + field->quantifier_offset,
		       (const char *)from + field->quantifier_offset, counter);
}

int mask_merge(enum resource_kind kind, const char *mask, const ProtobufCMessage *now,
	       const ProtobufCMessage *wanted, void *out, struct problem *why)
{
	const ProtobufCMessageDescriptor *type = resource_descriptor(kind);
	const char *rest = mask, *name;
	size_t len;

	while (next_name(&rest, &name, &len))
		if (!is_known(type, name, len))
			return problem_set(why, PROBLEM_INVALID_ARGUMENT,
					   "update_mask: \"%.*s\" is no field of a %s that can be "
					   "updated",
					   (int)(len < 80 ? len : 80), name, type->short_name);
	memcpy(out, now, type->sizeof_message);
	for (unsigned int i = 0; i < type->n_fields; i++) {
		const char *field = type->fields[i].name;

		if (strcmp(field, "name") && mask_has(mask, field))
			copy_field(&type->fields[i], wanted, out);
	}
	return 0;
}
