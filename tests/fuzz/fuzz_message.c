/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests and answers of the API, decoded as serve.c does. First byte: which type; second: JSON
 * or binary. What is taken must come back the same from its canonical form, in both formats, and
 * what is refused must have a reason; all memory is given back.
 */
#include "tests/fuzz/lib/fuzz.h"

#include <event2/buffer.h>

#include "ctrl/rpc/decode.h"
#include "google/protobuf/field_mask.pb-c.h"
#include "sluice/v1/audit.pb-c.h"
#include "sluice/v1/backend_pool.pb-c.h"
#include "sluice/v1/config.pb-c.h"
#include "sluice/v1/connection.pb-c.h"
#include "sluice/v1/event.pb-c.h"
#include "sluice/v1/interface.pb-c.h"
#include "sluice/v1/local_address_pool.pb-c.h"
#include "sluice/v1/route.pb-c.h"
#include "sluice/v1/snat_policy.pb-c.h"
#include "sluice/v1/stats.pb-c.h"
#include "sluice/v1/virtual_server.pb-c.h"
#include "sluice/v1/worker.pb-c.h"

#define MIB       ((size_t)1024 * 1024)
#define TYPES_MAX 256

static const ProtobufCServiceDescriptor *const services[] = {
	&sluice__v1__config_service__descriptor,
	&sluice__v1__virtual_server_service__descriptor,
	&sluice__v1__backend_pool_service__descriptor,
	&sluice__v1__local_address_pool_service__descriptor,
	&sluice__v1__interface_service__descriptor,
	&sluice__v1__route_service__descriptor,
	&sluice__v1__connection_service__descriptor,
	&sluice__v1__stats_service__descriptor,
	&sluice__v1__worker_service__descriptor,
	&sluice__v1__audit_service__descriptor,
	&sluice__v1__event_service__descriptor,
	&sluice__v1__snat_policy_service__descriptor,
};

static const ProtobufCMessageDescriptor *types[TYPES_MAX];
static unsigned int n_types;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	for (size_t s = 0; s < sizeof(services) / sizeof(services[0]); s++)
		for (unsigned int m = 0; m < services[s]->n_methods && n_types < TYPES_MAX - 1;
		     m++) {
			types[n_types++] = services[s]->methods[m].input;
			types[n_types++] = services[s]->methods[m].output;
		}
	return 0;
}

/* A field mask is only ever read, so that JSON has no form for one that is written. */
static bool is_written(const ProtobufCMessageDescriptor *type)
{
	if (type == &google__protobuf__field_mask__descriptor)
		return false;
	for (unsigned int i = 0; i < type->n_fields; i++)
		if (type->fields[i].type == PROTOBUF_C_TYPE_MESSAGE &&
		    !is_written(type->fields[i].descriptor))
			return false;
	return true;
}

struct packed {
	uint8_t *bytes;
	size_t len;
};

static struct packed pack(const ProtobufCMessage *message)
{
	struct packed p = {.len = protobuf_c_message_get_packed_size(message)};

	p.bytes = malloc(p.len + 1);
	FUZZ_CHECK(p.bytes, "memory");
	FUZZ_CHECK(protobuf_c_message_pack(message, p.bytes) == p.len, "another length");
	return p;
}

/* Written in a format and read again, the message is the same. */
static void check_format(const ProtobufCMessage *message, const struct packed *canonical,
			 enum rpc_format format, struct rpc_arena *arena)
{
	const char *name = format == RPC_FORMAT_JSON ? "JSON" : "binary";
	struct evbuffer *out = evbuffer_new();
	ProtobufCMessage *again;
	struct decode decode;
	struct packed p;

	FUZZ_CHECK(out && !rpc_encode(message, format, out), "%s cannot be written", name);
	again = rpc_decode(&decode, message->descriptor, format, evbuffer_pullup(out, -1),
			   evbuffer_get_length(out), arena);
	FUZZ_CHECK(again || decode.too_large, "%s that we wrote is refused: %s", name, decode.why);
	if (again) {
		p = pack(again);
		FUZZ_CHECK(p.len == canonical->len && !memcmp(p.bytes, canonical->bytes, p.len),
			   "%s comes back as something else", name);
		free(p.bytes);
	}
	evbuffer_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rpc_budget budget = {64 * MIB};
	const ProtobufCMessageDescriptor *type;
	struct rpc_arena arena;
	struct decode decode;
	ProtobufCMessage *message;

	if (len < 2)
		return 0;
	type = types[data[0] % n_types];
	rpc_arena_init(&arena, &budget, 16 * MIB);
	message = rpc_decode(&decode, type, data[1] & 1 ? RPC_FORMAT_JSON : RPC_FORMAT_PROTO,
			     data + 2, len - 2, &arena);
	if (message) {
		struct packed canonical = pack(message);

		check_format(message, &canonical, RPC_FORMAT_PROTO, &arena);
		if (is_written(type))
			check_format(message, &canonical, RPC_FORMAT_JSON, &arena);
		free(canonical.bytes);
	} else {
		FUZZ_CHECK(*decode.why, "refused without a reason");
		FUZZ_CHECK(memchr(decode.why, 0, sizeof(decode.why)), "an endless reason");
	}
	rpc_arena_clear(&arena);
	FUZZ_CHECK(budget.left == 64 * MIB, "memory is kept");
	return 0;
}
