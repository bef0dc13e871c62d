/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control daemon, as its parts see it. Everything here lives on one event loop, but for the
 * threads that take what takes long (ctrl/background.h).
 */
#ifndef CTRL_CTRL_H
#define CTRL_CTRL_H

struct apply;
struct commands;
struct event_base;
struct events;
struct history;
struct model;
struct primary_client;
struct slices;
struct sl_root;

struct ctrl {
	struct event_base *base;
	struct sl_root *root;           /* shared memory */
	struct commands *commands;      /* to the workers, and their answers */
	struct model *model;            /* the current revision */
	struct apply *apply;            /* changes it */
	struct history *history;        /* what it was */
	struct primary_client *primary; /* restarts workers */
	struct events *events;          /* what has happened lately */
	struct slices *slices;          /* what takes more than a turn of the loop */
};

#endif
