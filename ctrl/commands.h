/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The workers' command rings (sluice/msg.h): ctrl is their only producer, and the only one to take
 * answers. Whoever sends a command waits for its answer under its id, or does not wait.
 */
#ifndef CTRL_COMMANDS_H
#define CTRL_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <sluice/msg.h>

struct commands;
struct sl_root;

/* Repairs what a killed predecessor may have left half done on the rings. NULL with errno. */
struct commands *commands_new(struct sl_root *root);
void commands_free(struct commands *commands);

/* Who waits for answers; the waiter's own memory. */
struct commands_waiter {
	LIST_ENTRY(commands_waiter) link;
	uint64_t id;
	void (*answered)(void *arg, unsigned int worker, const struct sl_answer *answer);
	void *arg;
};

/* Wait for the answers to commands of one id, which is new: waiter->id. */
void commands_wait(struct commands *commands, struct commands_waiter *waiter);
void commands_forget(struct commands_waiter *waiter);

/* False: the ring is full, so its worker is gone, or late anyhow. */
bool commands_send(struct commands *commands, unsigned int worker, struct sl_command command);

/* Hand out the answers that have come. Nobody is told of one otherwise. */
void commands_collect(struct commands *commands);

#endif
