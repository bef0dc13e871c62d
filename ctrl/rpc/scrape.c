/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The answer is made in slices (ctrl/slices.h): what is there once, then all figures read, then
 * family by family. It leaves as it is made, and the next slice waits while much of it waits for
 * the client.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/rpc/exchange.h"
#include "ctrl/rpc/metrics.h"
#include "ctrl/rpc/metrics_flows.h"
#include "ctrl/rpc/protocol.h"
#include "ctrl/slices.h"

#define BACKLOG_MAX (256 * 1024) /* bytes that wait for the client before no more is made */

struct scrape {
	struct exchange exchange;
	struct slice slice;
	const struct metrics *metrics;
	struct http_exchange *x;
	struct metrics_text text;
	struct metrics_flows flows;
	bool read; /* all figures */
};

static void scrape_free(struct scrape *s)
{
	slices_remove(s->metrics->ctrl->slices, &s->slice);
	metrics_flows_clear(&s->flows);
	free(s);
}

static void end(struct scrape *s)
{
	struct http_exchange *x = s->x;

	s->text.left_out += s->flows.left_out;
	s->text.room++; /* kept for it */
	metrics_family(&s->text, "sluice_metrics_left_out", "gauge",
		       "Samples for which there was no room (metrics.series of ctrl.yaml).");
	metrics_sample(&s->text, METRICS_NO_LABELS, (double)s->text.left_out);
	http_set_data(x, NULL);
	scrape_free(s);
	http_reply(x, 200);
}

static void run(struct slice *slice)
{
	struct scrape *s = (struct scrape *)((char *)slice - offsetof(struct scrape, slice));

	if (http_reply_backlog(s->x) >= BACKLOG_MAX)
		return; /* on_drained() */
	if (!s->read) {
		s->read = !metrics_flows_read(&s->flows);
	} else if (!metrics_flows_write(&s->flows, &s->text)) {
		end(s);
		return;
	}
	slices_add(s->metrics->ctrl->slices, slice);
	http_reply_part(s->x, 200);
}

static struct scrape *scrape_of(struct exchange *exchange)
{
	return (struct scrape *)((char *)exchange - offsetof(struct scrape, exchange));
}

static void on_gone(struct exchange *exchange)
{
	scrape_free(scrape_of(exchange));
}

static void on_drained(struct exchange *exchange)
{
	struct scrape *s = scrape_of(exchange);

	slices_add(s->metrics->ctrl->slices, &s->slice);
}

static void begin(const struct metrics *m, struct http_exchange *x)
{
	struct scrape *s = calloc(1, sizeof(*s));

	if (!s) {
		protocol_refuse(x, 503, PROBLEM_RESOURCE_EXHAUSTED, "no memory for the metrics");
		return;
	}
	s->exchange = (struct exchange){.gone = on_gone, .drained = on_drained};
	s->slice.run = run;
	s->metrics = m;
	s->x = x;
	s->text = (struct metrics_text){.out = http_reply_body(x), .room = m->samples_max};
	http_set_data(x, &s->exchange);
	http_reply_field(x, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	metrics_write_appliance(m, &s->text);
	metrics_flows_init(&s->flows, m->ctrl, m->budget, s->text.room);
	slices_add(m->ctrl->slices, &s->slice);
}

bool metrics_request(const struct metrics *m, struct http_exchange *x)
{
	const struct caller *caller = http_caller(x);
	char text[256];

	if (strcmp(http_target(x), "/metrics") || strcmp(http_verb(x), "GET"))
		return false;
	if (!http_body_ended(x) || http_data(x))
		return true; /* called again then; or is being seen to */
	if (caller->role < CALLER_VIEWER) {
		snprintf(text, sizeof(text), "/metrics needs the role viewer; %s has none",
			 *caller->name ? caller->name : "who asks");
		protocol_refuse(x, 403, PROBLEM_PERMISSION_DENIED, text);
		return true;
	}
	begin(m, x);
	return true;
}
