/* SPDX-License-Identifier: BSD-3-Clause */
/* Workers drained and resumed. */
#include <stdio.h>

#include "ctrl/client/command.h"
#include "ctrl/client/rpc.h"

#define WAIT_MAX 50 /* seconds; what a call may take */
#define SPARE_MS 5000

static const char *count_text(json_t *message, const char *field)
{
	const char *text = json_string_value(json_object_get(message, field));

	return text ? text : "0"; /* counts are strings, as 64 bits are in JSON */
}

/* What the worker has yet; the exit code when it should have had none. */
static int report(const struct client *client, const char *id, json_t *reply)
{
	json_t *worker = json_object_get(reply, "worker");
	const char *left = count_text(worker, "connections");
	int result = client->wait && left[0] != '0' ? CLIENT_DEADLINE : CLIENT_OK;

	if (client->output != CLIENT_TABLE) {
		client_print(client, reply);
		return result;
	}
	printf("worker %s opens no connections; it has %s", id, left);
	if (client->end)
		printf(", %s were ended", count_text(reply, "ended"));
	printf("\n");
	json_decref(reply);
	return result;
}

/* The call has to last longer than what it waits for. */
static int set_wait(struct client *client, json_t *request)
{
	unsigned long seconds;

	if (!client->wait)
		return CLIENT_OK;
	if (!observe_number(client->wait, &seconds) || seconds < 1 || seconds > WAIT_MAX)
		return client_usage_error("--wait %s: 1 to %d seconds", client->wait, WAIT_MAX);
	json_object_set_new(request, "waitSeconds", json_integer((json_int_t)seconds));
	if (client->timeout_ms < seconds * 1000 + SPARE_MS)
		client->timeout_ms = (unsigned int)seconds * 1000 + SPARE_MS;
	return CLIENT_OK;
}

/* {"id": N} of an argument; NULL: it is none, and that was said. */
static json_t *request_of(const char *id)
{
	unsigned long number;

	if (observe_number(id, &number))
		return json_pack("{sI}", "id", (json_int_t)number);
	client_usage_error("'%s' is not the number of a worker", id);
	return NULL;
}

int drain_worker(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	json_t *request = request_of(argv[0]), *reply;
	struct client longer = *client;
	int result = request ? set_wait(&longer, request) : CLIENT_USAGE;

	(void)noun;
	(void)argc;
	if (result != CLIENT_OK) {
		json_decref(request);
		return result;
	}
	if (client->end)
		json_object_set_new(request, "endRemaining", json_true());
	result = rpc_call_or_complain(&longer, "WorkerService", "DrainWorker", request, &reply);
	return result == CLIENT_OK ? report(client, argv[0], reply) : result;
}

int resume_worker(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	json_t *request = request_of(argv[0]), *reply;
	int result;

	(void)noun;
	(void)argc;
	if (!request)
		return CLIENT_USAGE;
	result = rpc_call_or_complain(client, "WorkerService", "ResumeWorker", request, &reply);
	if (result != CLIENT_OK || client->output != CLIENT_TABLE)
		return result == CLIENT_OK ? client_print(client, reply) : result;
	printf("worker %s opens connections\n", argv[0]);
	json_decref(reply);
	return CLIENT_OK;
}
