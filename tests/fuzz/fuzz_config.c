/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A configuration, or two one after the other (lines of JSON), from the message to the snapshot
 * as ApplyConfig does it. One that is taken compiles to the same snapshot from nothing, says the
 * same when it is read back, and applied again it changes nothing. One that is refused has
 * a reason, and leaves all as it was.
 */
#include "ctrl/rpc/decode.h"
#include "tests/fuzz/lib/fuzz.h"
#include "tests/unit/lib/ctrl_bed.h"

#define MIB ((size_t)1024 * 1024)

static struct sl_root *root;
static struct sl_snapshot *snapshot, *again;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	root = bed_root_new();
	snapshot = root->arena.half[0];
	again = root->arena.half[1];
	return 0;
}

static void check_spans(const struct sl_snapshot *s)
{
	FUZZ_CHECK(s->magic == SL_SNAPSHOT_MAGIC && s->size <= BED_HALF, "%u bytes", s->size);
	const struct sl_virtual_server *v = sl_snapshot_at(s, s->virtual_servers);
	const struct sl_port_range *range = sl_snapshot_at(s, s->port_ranges);

	FUZZ_CHECK(s->backends.count <= root->max_backends, "backends");
	FUZZ_CHECK(s->local_addresses.count <= root->max_local_addresses, "local addresses");
	for (uint32_t i = 0; i < s->virtual_servers.count; i++)
		FUZZ_CHECK(SL_REF_ID(v[i].ref) < root->max_virtual_servers, "virtual servers");
	for (uint32_t i = 0; i < s->port_ranges.count; i++)
		FUZZ_CHECK(range[i].first <= range[i].last &&
				   range[i].server < s->virtual_servers.count,
			   "range %u", i);
}

/* The whole, compiled by who has nothing of it yet. */
static void check_compiled(struct model *model)
{
	const struct compile_target target = {.out = again,
					      .room = BED_HALF,
					      .generation = snapshot->generation,
					      .revision = snapshot->revision};
	struct problem why;

	check_spans(snapshot);
	memset(again, 0, snapshot->size);
	FUZZ_CHECK(!bed_compile(model, &target, &why), "%s", why.text);
	FUZZ_CHECK(compile_same(snapshot, again), "compiled from nothing it is another");
}

static void check_resources(struct model *model)
{
	for (int kind = 0; kind < RESOURCE_KIND_MAX; kind++)
		for (const struct resource *r = model_after(model, kind, ""); r;
		     r = model_next(r)) {
			struct problem why;
			struct resource *copy =
				resource_unpack(kind, r->name, r->packed, r->packed_len, &why);

			FUZZ_CHECK(copy, "what was stored is refused: %s", why.text);
			FUZZ_CHECK(copy->hash == r->hash, "%s comes back as another", r->name);
			resource_free(copy);
		}
}

static void apply_config(struct model *model, const ProtobufCMessage *config, bool merge)
{
	struct apply_request request = {.op = APPLY_CONFIG, .message = config, .merge = merge};
	uint64_t hash = model->hash, revision = model->revision;
	struct problem why;

	if (bed_try(model, &request, snapshot, &why)) {
		FUZZ_CHECK(*why.text, "refused without a reason");
		FUZZ_CHECK(model->hash == hash && model->revision == revision, "refused, but: %s",
			   why.text);
		return;
	}
	check_compiled(model);
	check_resources(model);
	hash = model->hash;
	bed_try(model, &request, snapshot, &why); /* its etags may be of before */
	FUZZ_CHECK(!why.code || why.code == PROBLEM_ABORTED, "not taken again: %s", why.text);
	FUZZ_CHECK(model->hash == hash, "applied again it is another");
}

/* One line, when it is a Config. */
static void take_line(struct model *model, const uint8_t *line, size_t len, bool merge)
{
	struct rpc_budget budget = {64 * MIB};
	struct rpc_arena arena;
	struct decode decode;
	ProtobufCMessage *config;

	rpc_arena_init(&arena, &budget, 16 * MIB);
	config = rpc_decode(&decode, &sluice__v1__config__descriptor, RPC_FORMAT_JSON, line, len,
			    &arena);
	if (config)
		apply_config(model, config, merge);
	rpc_arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct model *model = model_new(root);

	FUZZ_CHECK(model, "memory");
	while (len) {
		const uint8_t *end = memchr(data, '\n', len);
		size_t line = end ? (size_t)(end - data) : len;

		take_line(model, data, line, end != NULL);
		line += end != NULL;
		data += line;
		len -= line;
	}
	model_free(model);
	return 0;
}
