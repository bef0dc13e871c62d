/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/resource.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/snapshot.h>

#include "ctrl/fields.h"
#include "ctrl/message.h"
#include "sluice/v1/backend_pool.pb-c.h"
#include "sluice/v1/config.pb-c.h"
#include "sluice/v1/interface.pb-c.h"
#include "sluice/v1/local_address_pool.pb-c.h"
#include "sluice/v1/route.pb-c.h"
#include "sluice/v1/snat_policy.pb-c.h"
#include "sluice/v1/virtual_server.pb-c.h"

/* Numbers that these fields have in every resource's message. */
#define NAME_FIELD 1
#define ETAG_FIELD 15

static const struct {
	const ProtobufCMessageDescriptor *descriptor;
	const char *path;
} kinds[RESOURCE_KIND_MAX] = {
#define X(symbol, message, path) [RESOURCE_##symbol] = {&sluice__v1__##message##__descriptor, path},
	RESOURCE_KINDS(X)
#undef X
};

const ProtobufCMessageDescriptor *resource_descriptor(enum resource_kind kind)
{
	return kinds[kind].descriptor;
}

const char *resource_path(enum resource_kind kind, const char *name, char *out)
{
	const char *slash = kind == RESOURCE_BACKEND ? strchr(name, '/') : NULL;

	if (kind == RESOURCE_TIMEOUTS)
		snprintf(out, RESOURCE_PATH_SIZE, "%s", kinds[kind].path);
	else if (slash)
		snprintf(out, RESOURCE_PATH_SIZE, "%s[%.*s].%s[%s]",
			 kinds[RESOURCE_BACKEND_POOL].path, (int)(slash - name), name,
			 kinds[kind].path, slash + 1);
	else
		snprintf(out, RESOURCE_PATH_SIZE, "%s[%s]", kinds[kind].path, name);
	return out;
}

const char *resource_backend_name(const char *pool, const char *name, char *out)
{
	snprintf(out, RESOURCE_NAME_SIZE, "%s/%s", pool, name);
	return out;
}

bool resource_in_pool(const struct resource *backend, const char *pool)
{
	size_t len = strlen(pool);

	return !strncmp(backend->name, pool, len) && backend->name[len] == '/';
}

const char *resource_etag_text(uint64_t hash, char *out)
{
	for (int i = 15; i >= 0; i--, hash >>= 4)
		out[i] = "0123456789abcdef"[hash & 15];
	out[16] = '\0';
	return out;
}

/* The string member with that number inside a message; NULL when its type has none. */
static char **string_field(const ProtobufCMessage *message, unsigned int number)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field(message->descriptor, number);

	return field && field->type == PROTOBUF_C_TYPE_STRING
		       ? (char **)((char *)message + field->offset)
		       : NULL;
}

const char *resource_message_name(const ProtobufCMessage *message)
{
	char **name = string_field(message, NAME_FIELD);

	return name && *name ? *name : "";
}

const char *resource_message_etag(const ProtobufCMessage *message)
{
	char **etag = string_field(message, ETAG_FIELD);

	return etag && *etag ? *etag : "";
}

/* FNV-1a, and a final mix (the one of MurmurHash3) because these hashes are added up. */
static uint64_t hash_bytes(uint64_t h, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

uint64_t resource_hash(enum resource_kind kind, const char *name, const void *packed, size_t len)
{
	uint8_t byte = kind;
	uint64_t h = hash_bytes(UINT64_C(0xcbf29ce484222325), &byte, 1);

	h = hash_bytes(h, name, strlen(name) + 1);
	h = hash_bytes(h, packed, len);
	h = (h ^ (h >> 33)) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ (h >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ (h >> 33);
}

/* ---- making one ---- */

/* Characters of the name that a resource has in the model. */
static size_t name_length(enum resource_kind kind, const char *pool, const char *own)
{
	if (kind == RESOURCE_TIMEOUTS)
		return strlen(RESOURCE_TIMEOUTS_NAME);
	return (kind == RESOURCE_BACKEND ? strlen(pool) + 1 : 0) + strlen(own);
}

static void write_name(char *out, enum resource_kind kind, const char *pool, const char *own)
{
	if (kind == RESOURCE_TIMEOUTS)
		own = RESOURCE_TIMEOUTS_NAME;
	if (kind == RESOURCE_BACKEND) {
		out = stpcpy(out, pool);
		*out++ = '/';
	}
	strcpy(out, own);
}

/*
 * There may be many resources, so each is one block of memory: itself, a copy of the message, room
 * for the packed bytes and the name.
 */
static struct resource *allocate(enum resource_kind kind, const char *pool,
				 const ProtobufCMessage *message)
{
	const char *own = resource_message_name(message);
	size_t self = (sizeof(struct resource) + MESSAGE_ALIGN - 1) / MESSAGE_ALIGN * MESSAGE_ALIGN;
	size_t copied = message_size(message);
	size_t packed = protobuf_c_message_get_packed_size(message);
	char *block = malloc(self + copied + packed + name_length(kind, pool, own) + 1);
	struct resource *r = (struct resource *)block;

	if (!block)
		return NULL;
	memset(r, 0, sizeof(*r));
	r->kind = kind;
	r->ref = SL_REF_NONE;
	r->message = message_copy(message, block + self);
	r->packed = (uint8_t *)block + self + copied;
	r->name = block + self + copied + packed;
	write_name(r->name, kind, pool, own);
	return r;
}

/* The canonical form is never longer, so there is room for it. */
static void seal(struct resource *r)
{
	char **etag = string_field(r->message, ETAG_FIELD);

	fields_canonical(r->kind, r->message);
	r->packed_len = protobuf_c_message_pack(r->message, r->packed);
	r->hash = resource_hash(r->kind, r->name, r->packed, r->packed_len);
	resource_etag_text(r->hash, r->etag);
	if (etag && r->kind != RESOURCE_BACKEND_POOL)
		*etag = r->etag;
}

/* `message` is a shallow copy that is ours to clean. */
static struct resource *make(enum resource_kind kind, const char *pool, ProtobufCMessage *message,
			     struct problem *why)
{
	struct resource *r;
	int rc;

	fields_clean(kind, message);
	r = allocate(kind, pool, message);
	rc = r ? fields_decode(r, pool, r->message, why) : -ENOMEM;
	if (rc == -ENOMEM)
		problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
	if (rc) {
		resource_free(r);
		return NULL;
	}
	seal(r);
	return r;
}

struct resource *resource_new(enum resource_kind kind, const char *pool,
			      const ProtobufCMessage *message, struct problem *why)
{
	size_t size = resource_descriptor(kind)->sizeof_message;
	ProtobufCMessage *copy = malloc(size);
	struct resource *r = NULL;

	if (copy)
		r = make(kind, pool, memcpy(copy, message, size), why);
	else
		problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
	free(copy);
	return r;
}

struct resource *resource_unpack(enum resource_kind kind, const char *name, const void *packed,
				 size_t len, struct problem *why)
{
	ProtobufCMessage *message =
		protobuf_c_message_unpack(resource_descriptor(kind), NULL, len, packed);
	char pool[RESOURCE_NAME_SIZE], path[RESOURCE_PATH_SIZE];
	struct resource *r = NULL;

	snprintf(pool, sizeof(pool), "%.*s", (int)strcspn(name, "/"), name);
	if (message)
		r = resource_new(kind, pool, message, why);
	else
		problem_set(why, PROBLEM_DATA_LOSS, "%s: its message does not decode",
			    resource_path(kind, name, path));
	if (r && strcmp(r->name, name)) {
		problem_set(why, PROBLEM_DATA_LOSS, "%s: its message is named %s",
			    resource_path(kind, name, path), r->name);
		resource_free(r);
		r = NULL;
	}
	if (message)
		protobuf_c_message_free_unpacked(message, NULL);
	return r;
}

void resource_free(struct resource *r)
{
	if (!r)
		return;
	fields_free(r);
	free(r);
}

bool resource_snat_has(const struct resource *policy, bool ipv6)
{
	for (size_t i = 0; i < policy->snat.n_source; i++)
		if (sl_addr_is_v4(&policy->snat.source[i].addr) != ipv6)
			return true;
	return false;
}
