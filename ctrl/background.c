/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/background.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>

STAILQ_HEAD(tasks, background_task);

struct background {
	struct event *finished;
	int fd; /* eventfd: the thread tells the loop */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* Under the lock. */
	bool stop;
	struct tasks waiting;
	struct tasks worked; /* for the loop to take */
};

/* Of this thread alone, as Linux has it. */
static void work(struct background_task *task, int nice)
{
	bool step_back = task->large && nice < 0;

	if (step_back)
		setpriority(PRIO_PROCESS, 0, 0);
	task->work(task);
	if (step_back)
		setpriority(PRIO_PROCESS, 0, nice);
}

static void *run(void *arg)
{
	struct background *b = arg;
	const int nice = getpriority(PRIO_PROCESS, 0);
	const uint64_t one = 1;
	struct background_task *task;

	pthread_mutex_lock(&b->lock);
	while (!b->stop) {
		task = STAILQ_FIRST(&b->waiting);
		if (!task) {
			pthread_cond_wait(&b->wake, &b->lock);
			continue;
		}
		STAILQ_REMOVE_HEAD(&b->waiting, link);
		pthread_mutex_unlock(&b->lock);
		work(task, nice);
		pthread_mutex_lock(&b->lock);
		STAILQ_INSERT_TAIL(&b->worked, task, link);
		if (write(b->fd, &one, sizeof(one)) != sizeof(one))
			abort(); /* an eventfd takes one more always */
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

static struct background_task *take_worked(struct background *b)
{
	struct background_task *task;

	pthread_mutex_lock(&b->lock);
	task = STAILQ_FIRST(&b->worked);
	if (task)
		STAILQ_REMOVE_HEAD(&b->worked, link);
	pthread_mutex_unlock(&b->lock);
	return task;
}

static void on_finished(evutil_socket_t fd, short what, void *arg)
{
	struct background *b = arg;
	struct background_task *task;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) != sizeof(n))
		return;
	while ((task = take_worked(b)))
		task->done(task);
}

/* Signals are the event loop's. */
static int start_thread(struct background *b)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	rc = pthread_create(&b->thread, NULL, run, b);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

struct background *background_new(struct event_base *base)
{
	struct background *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	STAILQ_INIT(&b->waiting);
	STAILQ_INIT(&b->worked);
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->wake, NULL);
	b->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->fd >= 0)
		b->finished = event_new(base, b->fd, EV_READ | EV_PERSIST, on_finished, b);
	if (b->finished && !event_add(b->finished, NULL) && !start_thread(b))
		return b;
	if (b->finished)
		event_free(b->finished);
	if (b->fd >= 0)
		close(b->fd);
	free(b);
	errno = ENOMEM;
	return NULL;
}

void background_free(struct background *b)
{
	if (!b)
		return;
	pthread_mutex_lock(&b->lock);
	b->stop = true;
	pthread_cond_signal(&b->wake);
	pthread_mutex_unlock(&b->lock);
	pthread_join(b->thread, NULL);
	event_free(b->finished);
	close(b->fd);
	pthread_cond_destroy(&b->wake);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

void background_run(struct background *b, struct background_task *task)
{
	pthread_mutex_lock(&b->lock);
	STAILQ_INSERT_TAIL(&b->waiting, task, link);
	pthread_cond_signal(&b->wake);
	pthread_mutex_unlock(&b->lock);
}
