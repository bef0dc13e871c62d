/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/lib/ctrl_bed.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>

#include <sluice/msg.h>

#include "ctrl/compile.h"
#include "ctrl/rpc/decode.h"

const char bed_good[] =
	"{'interfaces': [{'name': 'wan', 'addresses': ['192.0.2.1/24']},"
	" {'name': 'lan', 'addresses': ['198.51.100.1/24']}],"
	"'routes': [{'name': 'default', 'prefix': '0.0.0.0/0', 'gateway': '192.0.2.254'}],"
	"'localAddressPools': [{'name': 'lan', 'addresses': ['198.51.100.10', '198.51.100.11']}],"
	"'backendPools': [{'name': 'web', 'backends': ["
	" {'name': 'web-1', 'address': '198.51.100.101', 'port': 80, 'weight': 2},"
	" {'name': 'web-2', 'address': '198.51.100.102', 'port': 80}]}],"
	"'virtualServers': [{'name': 'web', 'address': '192.0.2.80', 'port': 80,"
	" 'protocol': 'tcp', 'backendPool': 'web', 'localAddressPool': 'lan'}]}";

static void *zeroed(size_t size)
{
	void *memory = NULL;

	assert_int_equal(posix_memalign(&memory, RTE_CACHE_LINE_SIZE, size), 0);
	return memset(memory, 0, size);
}

static struct rte_ring *new_ring(const char *name, unsigned int element)
{
	struct rte_ring *ring = zeroed(rte_ring_get_memsize_elem(element, SL_COMMAND_RING));

	assert_int_equal(rte_ring_init(ring, name, SL_COMMAND_RING, RING_F_SP_ENQ | RING_F_SC_DEQ),
			 0);
	return ring;
}

struct sl_root *bed_root_new(void)
{
	struct sl_root *root = zeroed(sizeof(*root));

	root->n_ports = 2;
	strcpy(root->port[0].name, "wan");
	strcpy(root->port[1].name, "lan");
	root->port[0].mtu = 1500;
	root->port[1].mtu = 9000;
	root->max_virtual_servers = 64;
	root->max_backends = 256;
	root->max_local_addresses = 16;
	root->n_workers = 2;
	for (unsigned int w = 0; w < root->n_workers; w++) {
		root->worker[w] = zeroed(sizeof(*root->worker[w]));
		root->worker[w]->command = new_ring("command", sizeof(struct sl_command));
		root->worker[w]->answer = new_ring("answer", sizeof(struct sl_answer));
	}
	root->arena.half_size = BED_HALF;
	root->arena.half[0] = zeroed(BED_HALF);
	root->arena.half[1] = zeroed(BED_HALF);
	return root;
}

void bed_root_free(struct sl_root *root)
{
	for (unsigned int w = 0; w < root->n_workers; w++) {
		free(root->worker[w]->command);
		free(root->worker[w]->answer);
		free(root->worker[w]);
	}
	free(root->arena.half[0]);
	free(root->arena.half[1]);
	free(root);
}

/* ---- messages ---- */

static struct rpc_budget budget;
static struct rpc_arena arena;

ProtobufCMessage *bed_json(const ProtobufCMessageDescriptor *type, const char *text)
{
	struct decode decode;
	ProtobufCMessage *message;
	char *json = strdup(text);

	if (!arena.budget) {
		budget.left = (size_t)1 << 30;
		rpc_arena_init(&arena, &budget, budget.left);
	}
	assert_non_null(json);
	for (char *c = json; *c; c++)
		if (*c == '\'')
			*c = '"';
	message = rpc_decode(&decode, type, RPC_FORMAT_JSON, json, strlen(json), &arena);
	if (!message)
		fail_msg("%s: %s", decode.why, json);
	free(json);
	return message;
}

void bed_json_free(void)
{
	if (arena.budget)
		rpc_arena_clear(&arena);
}

/* ---- changes ---- */

int bed_compile(const struct model *model, const struct compile_target *target, struct problem *why)
{
	struct compiler *compiler = compiler_new(model);
	int rc;

	assert_non_null(compiler);
	rc = compile(compiler, target, why);
	compiler_free(compiler);
	return rc;
}

static int try(struct change_set *set, struct model *model, const struct apply_request *request,
	       struct compile_target *target, struct problem *why)
{
	if (change_resolve(set, model, request, why) || change_enter(set, why))
		return -1;
	return bed_compile(model, target, why);
}

enum problem_code bed_try(struct model *model, const struct apply_request *request,
			  struct sl_snapshot *out, struct problem *why)
{
	struct sl_snapshot *scratch = out ? out : zeroed(BED_HALF);
	struct compile_target target = {
		.out = scratch,
		.room = BED_HALF,
		.generation = 1,
		.revision = model->revision + 1,
	};
	struct change_set set;

	why->code = PROBLEM_NONE;
	if (!try(&set, model, request, &target, why))
		change_settle(&set, model->revision + 1);
	else if (set.entered)
		change_leave(&set);
	change_free(&set);
	if (!out)
		free(scratch);
	return why->code;
}

enum problem_code bed_config(struct model *model, const char *json, struct sl_snapshot *out,
			     struct problem *why)
{
	const struct apply_request request = {.op = APPLY_CONFIG, .message = BED_CONFIG(json)};

	return bed_try(model, &request, out, why);
}

int bed_remove(const char *directory)
{
	char pattern[128];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/*", directory);
	if (!glob(pattern, 0, NULL, &found)) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			unlink(found.gl_pathv[i]);
		globfree(&found);
	}
	return rmdir(directory);
}
