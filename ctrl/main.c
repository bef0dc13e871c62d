/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control daemon: who speaks to it, and with whom it speaks.
 *
 *   operators    the API on a unix socket, and on TCP with certificates (ctrl/rpc/)
 *   workers      the snapshot arena and command rings (ctrl/publish.c, commands.c), of which it is
 * the only writer; statistics and connections, which it only reads the primary  requests over its
 * socket (ctrl/primary_client.c) the disk     an sqlite file, written by a thread of its own
 * (ctrl/writer.c)
 *
 * It can be killed at any instant: forwarding does not need it, the store holds whole revisions,
 * and the next start compares what the workers use with what is stored.
 */
#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sluice/log.h>
#include <sluice/role.h>
#include <sluice/shm.h>

#include <event2/event.h>

#include "ctrl/apply.h"
#include "ctrl/commands.h"
#include "ctrl/ctrl.h"
#include "ctrl/events.h"
#include "ctrl/history.h"
#include "ctrl/join.h"
#include "ctrl/model.h"
#include "ctrl/options.h"
#include "ctrl/primary_client.h"
#include "ctrl/rpc/rpc.h"
#include "ctrl/settings.h"
#include "ctrl/slices.h"
#include "ctrl/store.h"

SL_LOG_TYPE(ctrl_log, "sluice.ctrl");

struct daemon {
	struct ctrl ctrl;
	struct store *store;
	struct rpc *rpc;
	struct rpc_config api;
	struct event *on_term;
	struct event *on_int;
	struct event *on_primary; /* a pidfd */
	int primary_fd;
	bool serving;
	int exit_code;
};

/*
 * The API answers when the workers use what the database has, so that whoever asks a daemon that is
 * just back finds one revision; or after so long, to tell those who look why that is not so.
 */
#define SERVE_AT_LAST_S 1

static void serve(void *arg)
{
	struct daemon *d = arg;

	if (d->serving)
		return;
	d->serving = true;
	rpc_serve(d->rpc);
	sl_log(ctrl_log, NOTICE, "ready: revision %llu, %zu virtual servers, API at %s",
	       (unsigned long long)d->ctrl.model->revision,
	       d->ctrl.model->count[RESOURCE_VIRTUAL_SERVER], d->api.socket);
}

static void serve_at_last(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	serve(arg);
}

static int serve_soon(struct daemon *d)
{
	const struct timeval last = {.tv_sec = SERVE_AT_LAST_S};

	if (event_base_once(d->ctrl.base, -1, EV_TIMEOUT, serve_at_last, d, &last))
		return -ENOMEM;
	apply_when_caught_up(d->ctrl.apply, serve, d);
	return 0;
}

static void end(evutil_socket_t signal, short what, void *arg)
{
	struct daemon *d = arg;

	(void)what;
	sl_log(ctrl_log, INFO, "%s: ends", strsignal(signal));
	event_base_loopbreak(d->ctrl.base);
}

static bool a_worker_lives(const struct sl_root *root)
{
	for (unsigned int w = 0; w < root->n_workers; w++) {
		pid_t pid = (pid_t)root->worker[w]->worker.pid;

		if (pid && (kill(pid, 0) == 0 || errno != ESRCH))
			return true;
	}
	return false;
}

/*
 * Workers outlive the primary, and whoever asks sees how they are. When the last one has ended, the
 * shared memory is of the past: start again, with the primary that comes.
 */
static void primary_ended(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval again = {.tv_sec = 1};
	struct daemon *d = arg;

	(void)fd;
	if (what & EV_READ)
		sl_log(ctrl_log, ERR, "the primary (pid %d) has ended", d->ctrl.root->primary_pid);
	if (a_worker_lives(d->ctrl.root) &&
	    !event_base_once(d->ctrl.base, -1, EV_TIMEOUT, primary_ended, d, &again))
		return;
	d->exit_code = 1;
	event_base_loopbreak(d->ctrl.base);
}

static int failed(const char *what, int error)
{
	sl_log(ctrl_log, ERR, "%s: %s", what, strerror(error));
	return -error;
}

static int watch_primary(struct daemon *d)
{
	int pid = d->ctrl.root->primary_pid;

	d->primary_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (d->primary_fd < 0) {
		int error = errno;

		sl_log(ctrl_log, ERR, "the primary (pid %d): %s", pid, strerror(error));
		return -error;
	}
	d->on_primary = event_new(d->ctrl.base, d->primary_fd, EV_READ, primary_ended, d);
	return d->on_primary && !event_add(d->on_primary, NULL)
		       ? 0
		       : failed("watching the primary", ENOMEM);
}

static int watch_signals(struct daemon *d)
{
	d->on_term = evsignal_new(d->ctrl.base, SIGTERM, end, d);
	d->on_int = evsignal_new(d->ctrl.base, SIGINT, end, d);
	return d->on_term && d->on_int && !evsignal_add(d->on_term, NULL) &&
			       !evsignal_add(d->on_int, NULL)
		       ? 0
		       : failed("watching signals", ENOMEM);
}

/* The directory of the database; the one above it has to exist. */
static void make_directory(const char *file)
{
	char *copy = strdup(file);

	if (copy)
		mkdir(dirname(copy), 0750); /* what is wrong with it, opening the file will say */
	free(copy);
}

static int open_store(struct daemon *d, const struct options *o)
{
	struct problem why;

	make_directory(o->database);
	d->store = store_open(o->database, d->ctrl.root, &d->ctrl.model, &why);
	if (d->store) {
		store_set_retention(d->store, &o->keep);
		return 0;
	}
	sl_log(ctrl_log, ERR, "%s", why.text);
	return -EINVAL;
}

static int open_history(struct daemon *d)
{
	struct problem why;

	d->ctrl.history = history_new(d->ctrl.base, store_path(d->store), &why);
	if (d->ctrl.history)
		return 0;
	sl_log(ctrl_log, ERR, "%s", why.text);
	return -EINVAL;
}

/* The boot configuration, before anything else is done. */
static int read_settings(struct daemon *d, const struct options *o)
{
	char why[1024];

	rpc_config_init(&d->api);
	snprintf(d->api.socket, sizeof(d->api.socket), "%s", o->socket);
	if (!o->config || !settings_load(o->config, &d->api, why, sizeof(why)))
		return 0;
	sl_log(ctrl_log, ERR, "%s", why);
	return -EINVAL;
}

/*
 * Before there are other threads, which inherit it. Workers that spin take all of a CPU that they
 * share with us, and what an operator asks is short.
 */
static void be_nice(int nice)
{
	if (setpriority(PRIO_PROCESS, 0, nice))
		sl_log(ctrl_log, NOTICE, "--nice %d: %s: answers may wait for busy workers", nice,
		       strerror(errno));
}

/* Whoever fails has said why. */
static int start(struct daemon *d, const char *program, const struct options *o)
{
	struct ctrl *c = &d->ctrl;

	if (read_settings(d, o))
		return -EINVAL;
	be_nice(o->nice);
	c->root = join_instance(program, o);
	if (!c->root || open_store(d, o))
		return -EINVAL;
	c->base = event_base_new();
	if (!c->base)
		return failed("the event loop", ENOMEM);
	if (watch_signals(d) || watch_primary(d))
		return -EINVAL;
	c->slices = slices_new(c->base);
	if (!c->slices)
		return failed("the event loop", ENOMEM);
	c->primary = primary_client_new(c->base, o->runtime_dir);
	if (!c->primary)
		return failed("the client of the primary", errno);
	c->commands = commands_new(c->root);
	if (!c->commands)
		return failed("the commands", errno);
	c->apply = apply_new(c, d->store);
	if (!c->apply)
		return failed("the transactions", errno);
	if (open_history(d))
		return -EINVAL;
	c->events = events_new(c);
	if (!c->events)
		return failed("the events", ENOMEM);
	d->rpc = rpc_new(c, &d->api);
	if (!d->rpc)
		return -EINVAL;
	return serve_soon(d) ? failed("the API", ENOMEM) : 0;
}

/* In the reverse order of the start; what was not started is NULL. */
static void stop(struct daemon *d)
{
	struct event *const events[] = {d->on_term, d->on_int, d->on_primary};

	apply_free(d->ctrl.apply);
	d->ctrl.apply = NULL;
	history_free(d->ctrl.history);
	if (d->rpc)
		rpc_free(d->rpc);
	events_free(d->ctrl.events);
	commands_free(d->ctrl.commands);
	primary_client_free(d->ctrl.primary);
	slices_free(d->ctrl.slices);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i])
			event_free(events[i]);
	if (d->primary_fd >= 0)
		close(d->primary_fd);
	if (d->ctrl.base)
		event_base_free(d->ctrl.base);
	model_free(d->ctrl.model);
	store_close(d->store);
}

int sl_ctrl_main(int argc, char **argv)
{
	static struct daemon d = {.primary_fd = -1};
	struct options o;
	int rc = options_parse(argc, argv, &o);

	if (rc)
		return rc == 1 ? 0 : 2;
	signal(SIGPIPE, SIG_IGN);
	umask(027);
	if (start(&d, argv[0], &o))
		d.exit_code = 1;
	else
		event_base_dispatch(d.ctrl.base);
	stop(&d);
	/* No rte_eal_cleanup: a death inside it would leave the library's shared locks taken. */
	return d.exit_code;
}
