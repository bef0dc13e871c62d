/* SPDX-License-Identifier: BSD-3-Clause */
/* What workers write for ctrl: which snapshot they use, and answers to commands, whatever these
 * say. */
#include "tests/fuzz/lib/fuzz.h"

#include <event2/event.h>
#include <rte_log.h>
#include <rte_ring_elem.h>

#include <sluice/msg.h>

#include "ctrl/commands.h"
#include "ctrl/publish.h"
#include "tests/unit/lib/ctrl_bed.h"

static struct sl_root *root;
static struct event_base *base;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	root = bed_root_new();
	base = event_base_new();
	FUZZ_CHECK(base, "memory");
	return 0;
}

static void on_done(void *arg, const struct problem *problem)
{
	unsigned int *calls = arg;

	(*calls)++;
	FUZZ_CHECK(!problem->code || *problem->text, "failed without a reason");
}

/* The first byte says how many; each has the command's id, or another. */
static void answer(struct sl_worker_slot *slot, struct fuzz_input *in)
{
	uint8_t n = fuzz_u8(in);
	struct sl_command command = {0};

	rte_ring_sc_dequeue_elem(slot->command, &command, sizeof(command));
	slot->worker.snapshot_in_use = fuzz_u8(in);
	while (n-- && in->left) {
		uint8_t other = fuzz_u8(in);
		struct sl_answer a;

		fuzz_copy(in, &a, sizeof(a));
		a.id = command.id + (other & 1);
		rte_ring_sp_enqueue_elem(slot->answer, &a, sizeof(a));
	}
}

static void set_up(struct sl_worker_slot *slot, struct fuzz_input *in)
{
	slot->supervisor.state = fuzz_u8(in);
	slot->worker.snapshot_in_use = fuzz_u8(in);
}

static void empty(struct sl_worker_slot *slot)
{
	struct sl_command command;
	struct sl_answer a;

	while (!rte_ring_sc_dequeue_elem(slot->answer, &a, sizeof(a)))
		;
	while (!rte_ring_sc_dequeue_elem(slot->command, &command, sizeof(command)))
		;
	memset(&slot->supervisor, 0, sizeof(slot->supervisor));
	memset(&slot->worker, 0, sizeof(slot->worker));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct commands *commands = commands_new(root);
	struct publish *publish = publish_new(base, root, commands, NULL);
	struct fuzz_input in = {data, len};
	unsigned int ready = 0, done = 0;

	FUZZ_CHECK(commands && publish, "memory");
	root->arena.current = fuzz_u8(&in);
	for (unsigned int w = 0; w < root->n_workers; w++)
		set_up(root->worker[w], &in);
	publish_prepare(publish, on_done, &ready);
	if (ready) { /* the other half is free */
		publish_go(publish, on_done, &done);
		for (unsigned int w = 0; w < root->n_workers; w++)
			answer(root->worker[w], &in);
		event_base_loop(base, EVLOOP_ONCE);
	}
	publish_free(publish);
	commands_free(commands);
	FUZZ_CHECK(ready <= 1 && done <= 1, "told twice");
	for (unsigned int w = 0; w < root->n_workers; w++)
		empty(root->worker[w]);
	return 0;
}
