/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/durations.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "ctrl/rpc/metrics_text.h"
#include "ctrl/rpc/services.h"

#define METHODS_MAX 128
#define CODES       17

static const double bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
				0.25,  0.5,    1,     2.5,  5,     10};
#define N_BOUNDS (sizeof(bounds) / sizeof(bounds[0]))

/* Of one method; the last bucket has no bound. */
static struct duration {
	const struct rpc_method *method;
	uint64_t ended[CODES];
	uint64_t bucket[N_BOUNDS + 1];
	uint64_t n;
	double seconds;
} durations[METHODS_MAX];
static unsigned int n_durations;

static struct duration *duration_of(const struct rpc_method *method)
{
	for (unsigned int i = 0; i < n_durations; i++)
		if (durations[i].method == method)
			return &durations[i];
	if (n_durations == METHODS_MAX)
		return NULL;
	durations[n_durations].method = method;
	return &durations[n_durations++];
}

/* How long a stream lasts is up to its client. */
static bool is_change(const struct rpc_method *method)
{
	return method->role >= CALLER_OPERATOR && method->shape == RPC_UNARY;
}

void durations_add(const struct rpc_method *method, enum problem_code code, double seconds)
{
	struct duration *d = duration_of(method);
	unsigned int bucket = 0;

	if (!d)
		return;
	d->ended[code]++;
	while (bucket < N_BOUNDS && seconds > bounds[bucket])
		bucket++;
	d->bucket[bucket]++;
	d->n++;
	d->seconds += seconds;
}

static void write_ended(struct metrics_text *text, const struct duration *d)
{
	for (unsigned int code = 0; code < CODES; code++)
		if (d->ended[code])
			metrics_sample(text,
				       METRICS_LABELS("service", d->method->service->name, "method",
						      d->method->name, "code",
						      problem_code_name(code)),
				       (double)d->ended[code]);
}

static void write_histogram(struct metrics_text *text, const struct duration *d)
{
	uint64_t up_to = 0;
	char bound[16];

	if (!metrics_room(text, N_BOUNDS + 3))
		return;
	for (unsigned int i = 0; i <= N_BOUNDS; i++) {
		up_to += d->bucket[i];
		if (i < N_BOUNDS)
			snprintf(bound, sizeof(bound), "%g", bounds[i]);
		else
			snprintf(bound, sizeof(bound), "+Inf");
		metrics_sample_of(text, "_bucket",
				  METRICS_LABELS("method", d->method->name, "le", bound),
				  (double)up_to);
	}
	metrics_sample_of(text, "_sum", METRICS_LABELS("method", d->method->name), d->seconds);
	metrics_sample_of(text, "_count", METRICS_LABELS("method", d->method->name), (double)d->n);
}

void durations_write(struct metrics_text *text)
{
	metrics_family(text, "sluice_rpc_calls_total", "counter",
		       "Calls of the API that have ended, by how.");
	for (unsigned int i = 0; i < n_durations; i++)
		write_ended(text, &durations[i]);
	metrics_family(text, "sluice_change_duration_seconds", "histogram",
		       "From a request that changes something to its answer: for the "
		       "configuration, until every worker uses it.");
	for (unsigned int i = 0; i < n_durations; i++)
		if (is_change(durations[i].method))
			write_histogram(text, &durations[i]);
}
