/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/writer.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

struct writer {
	struct store *store;
	struct event *finished;
	int fd; /* eventfd: the thread tells the loop */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* Under the lock. */
	bool stop;
	const struct store_revision *job; /* NULL: idle */
	/* Written by the thread before it writes to fd, read by the loop after. */
	struct problem problem;
	/* The loop's. */
	writer_done_fn done;
	void *arg;
};

static void *run(void *arg)
{
	struct writer *w = arg;
	const uint64_t one = 1;

	pthread_mutex_lock(&w->lock);
	while (!w->stop || w->job) {
		if (!w->job) {
			pthread_cond_wait(&w->wake, &w->lock);
			continue;
		}
		pthread_mutex_unlock(&w->lock);
		w->problem.code = PROBLEM_NONE;
		store_commit(w->store, w->job, &w->problem);
		pthread_mutex_lock(&w->lock);
		w->job = NULL;
		if (write(w->fd, &one, sizeof(one)) != sizeof(one))
			abort(); /* an eventfd takes one more always */
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void on_finished(evutil_socket_t fd, short what, void *arg)
{
	struct writer *w = arg;
	struct problem problem;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) != sizeof(n))
		return;
	problem = w->problem;
	w->done(w->arg, &problem);
}

/* Signals are the event loop's. */
static int start_thread(struct writer *w)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	rc = pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

struct writer *writer_new(struct event_base *base, struct store *store)
{
	struct writer *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->store = store;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->fd >= 0)
		w->finished = event_new(base, w->fd, EV_READ | EV_PERSIST, on_finished, w);
	if (w->finished && !event_add(w->finished, NULL) && !start_thread(w))
		return w;
	if (w->finished)
		event_free(w->finished);
	if (w->fd >= 0)
		close(w->fd);
	free(w);
	errno = ENOMEM;
	return NULL;
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	event_free(w->finished);
	close(w->fd);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

void writer_commit(struct writer *w, const struct store_revision *revision, writer_done_fn done,
		   void *arg)
{
	w->done = done;
	w->arg = arg;
	pthread_mutex_lock(&w->lock);
	assert(!w->job); /* one at a time */
	w->job = revision;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}
