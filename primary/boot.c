/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `sluice primary`: the boot sequence, and its reverse. Talks to: the workers, whom it starts
 * and ends (signals, their slots); ctrl, by primary.sock; nobody by rings. It owns the ports
 * and all memory, has no queue and no packet, and sleeps when nothing happens.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/eal.h>
#include <sluice/log.h>
#include <sluice/role.h>
#include <sluice/shm.h>

#include "primary/boot_config.h"
#include "primary/deal.h"
#include "primary/eal.h"
#include "primary/poller.h"
#include "primary/hugepages.h"
#include "primary/lock.h"
#include "primary/ports.h"
#include "primary/rpc.h"
#include "primary/shm_create.h"
#include "primary/spawn.h"
#include "primary/steering.h"
#include "primary/supervisor.h"

SL_LOG_TYPE(boot_log, "sluice.primary");

#define MAX_NAMED (2 * SL_MAX_WORKERS + 2) /* processes: two a slot, ctrl, one that tries */

struct options {
	const char *config;
	bool check;
};

static struct boot_config config;

static void usage(FILE *to)
{
	fprintf(to,
		"usage: sluice primary [options]\n"
		"  -c, --config FILE          boot configuration (/etc/sluice/sluice.yaml)\n"
		"      --check                only check it; exit code 0 or 2\n"
		"      --log-level TYPE:LEVEL for example 'sluice.*:debug'; may be repeated; the\n"
		"                             workers get it, too\n"
		"      --help\n"
		"Ends on SIGTERM and SIGINT, the workers first. SIGHUP restarts the workers, one\n"
		"after the other, from the program as it is installed now.\n");
}

/* 0: go on; 1: help was asked for; -EINVAL: wrong usage, said. */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'k'},
		{"log-level", required_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:", longs, NULL)) != -1) {
		switch (c) {
		case 'c': o->config = optarg; break;
		case 'k': o->check = true; break;
		case 'l':
			if (!sl_log_set_level(optarg))
				fprintf(stderr, "sluice primary: '%s' " SL_LOG_LEVEL_WRONG "\n",
					optarg);
			else if (!spawn_log_level(optarg))
				fprintf(stderr, "sluice primary: too many log levels\n");
			else
				break;
			return -EINVAL;
		case 'h': usage(stdout); return 1;
		default: usage(stderr); return -EINVAL;
		}
	}
	if (optind == argc)
		return 0;
	fprintf(stderr, "sluice primary: '%s' is one argument too many\n", argv[optind]);
	return -EINVAL;
}

/* Workers and ctrl of a primary that was killed use its memory until they end. */
static int nobody_left(void)
{
	char text[16 * MAX_NAMED + 1] = "";
	pid_t pids[MAX_NAMED];
	int n = lock_find_secondaries(config.runtime_dir, pids, MAX_NAMED);

	for (int i = 0; i < n; i++)
		sprintf(text + strlen(text), "%s%d", i ? ", " : "", pids[i]);
	if (!n)
		return 0;
	sl_log(boot_log, ERR,
	       "instance %s: still alive from an earlier primary: process %s. Workers keep their "
	       "connections for the next primary when they are ended by SIGTERM",
	       config.instance, text);
	return -EBUSY;
}

/* Nobody else may use the instance: a second EAL primary would overwrite the files of the first. */
static int take_instance(void)
{
	pid_t holder = 0;
	int rc;

	if (mkdir(config.runtime_dir, 0755) && errno != EEXIST) {
		rc = -errno;
		sl_log(boot_log, ERR, "%s: %s", config.runtime_dir, strerror(-rc));
		return rc;
	}
	rc = lock_primary(config.runtime_dir, &holder);
	if (rc == -EBUSY)
		sl_log(boot_log, ERR, "instance %s: process %d is its primary", config.instance,
		       holder);
	else if (rc)
		sl_log(boot_log, ERR, "%s/primary.lock: %s", config.runtime_dir, strerror(-rc));
	if (rc)
		return rc;
	return nobody_left();
}

/* EAL's option: megabytes by node, with commas. */
static void socket_mem(const struct huge_need *need, char *text, size_t len)
{
	unsigned int last = RTE_MAX_NUMA_NODES - 1;
	size_t n = 0;

	while (last > 0 && !need->bytes[last])
		last--;
	for (unsigned int node = 0; node <= last && n < len; node++)
		n += snprintf(text + n, len - n, "%s%" PRIu64, node ? "," : "",
			      need->bytes[node] >> 20);
}

/* The caller holds the EAL lock, so nobody attaches before all is there. NULL: logged. */
static struct sl_root *build(void)
{
	char mem[RTE_MAX_NUMA_NODES * 12];
	struct huge_need need;
	struct sl_root *root;

	if (shm_need(&config, &need)) {
		sl_log(boot_log, ERR, "limits: the memory they ask for exceeds any machine");
		return NULL;
	}
	huge_clear(config.hugepages.directory, config.instance);
	if (huge_check(config.hugepages.directory, &need))
		return NULL;
	socket_mem(&need, mem, sizeof(mem));
	if (eal_init_primary("sluice-primary", &config, mem))
		return NULL;
	root = shm_create(&config);
	if (root && !eal_find_locks() && !ports_start(&config, root)) {
		steering_start(&config, root);
		deal_checkpoints(root->runtime_dir, root->n_workers, root->seed);
		shm_publish(root);
		return root;
	}
	if (root)
		ports_stop(root);
	eal_leave(&config);
	return NULL;
}

static void signal_ready(struct poller_fd *e)
{
	struct signalfd_siginfo info;

	if (read(e->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD) {
		supervisor_reap();
	} else if (info.ssi_signo == SIGHUP) {
		sl_log(boot_log, INFO, "primary: told to restart the workers");
		supervisor_restart_all();
	} else {
		sl_log(boot_log, INFO, "primary: told to end by signal %u", info.ssi_signo);
		supervisor_stop();
	}
}

/* Before EAL starts threads: they inherit the mask, and the signals come by the file alone. */
static int watch_signals(struct poller_fd *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	e->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	e->ready = signal_ready;
	return e->fd < 0 ? -errno : poller_add(e);
}

static int run(struct sl_root *root)
{
	int rc = supervisor_start(&config, root);

	if (rc) {
		sl_log(boot_log, ERR, "primary: cannot open its own program: %s", strerror(-rc));
		return rc;
	}
	while (!supervisor_stopped()) {
		poller_wait(supervisor_timeout());
		supervisor_tick();
	}
	return 0;
}

static int serve(void)
{
	struct poller_fd signals;
	struct sl_root *root;
	int rc, lock = eal_lock(config.runtime_dir);

	if (lock < 0) {
		sl_log(boot_log, ERR, "%s/eal.lock: %s", config.runtime_dir, strerror(-lock));
		return 1;
	}
	rc = poller_init();
	if (!rc)
		rc = watch_signals(&signals);
	root = rc ? NULL : build();
	close(lock);
	if (!root)
		return 1;
	rc = rpc_start(config.runtime_dir, root);
	if (!rc)
		rc = run(root);
	rpc_stop();
	steering_stop();
	ports_stop(root);
	eal_leave(&config);
	sl_log(boot_log, INFO, "primary ended");
	return rc ? 1 : 0;
}

int sl_primary_main(int argc, char **argv)
{
	struct options o = {.config = "/etc/sluice/sluice.yaml"};
	int rc = parse_options(argc, argv, &o);
	char why[512];

	if (rc)
		return rc < 0 ? 2 : 0;
	rc = boot_config_load(o.config, &config, why, sizeof(why));
	if (rc) {
		fprintf(stderr, "sluice primary: %s\n", why);
		return 2;
	}
	if (o.check)
		return 0;
	return take_instance() ? 1 : serve();
}
