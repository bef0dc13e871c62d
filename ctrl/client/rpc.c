/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/client/rpc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/client/http.h"

/* What an operator can do, by error code. */
static const struct {
	const char *code;
	const char *hint;
} hints[] = {
	{"aborted", "somebody changed it since it was read: look at it again, then repeat"},
	{"not_found", "`list` shows what there is, `history` which revisions"},
	{"already_exists", "`update` changes what is there"},
	{"resource_exhausted", "the limits are in the boot configuration, under `limits:`"},
	{"unavailable", "try again in a moment"},
	{"deadline_exceeded", "look before you repeat it; --timeout waits longer"},
	{"permission_denied", "somebody with a higher role may"},
	{"unimplemented", "sluicectl and sluice are of different versions"},
};

static void explain_transport(struct rpc_failure *why, const char *socket, int err)
{
	const char *advice;

	switch (err) {
	case -ENOENT:
	case -ECONNREFUSED:
		advice = "is `sluice ctrl` running? --socket or SLUICE_SOCKET names its socket";
		break;
	case -EACCES:
	case -EPERM: advice = "the socket is for root and its group"; break;
	case -EPROTO: advice = "what listens there is not `sluice ctrl`"; break;
	case -EMSGSIZE: advice = "the answer is too big"; break;
	case -ECONNRESET: advice = "the daemon ended the connection; its log says why"; break;
	default: advice = "cannot talk to the daemon";
	}
	snprintf(why->message, sizeof(why->message), "%s: %s: %s", socket, strerror(-err), advice);
}

int rpc_fail_transport(struct rpc_failure *why, const struct client *client, int err)
{
	if (err != -ETIMEDOUT) {
		explain_transport(why, client->socket, err);
		return CLIENT_UNREACHABLE;
	}
	snprintf(why->code, sizeof(why->code), "deadline_exceeded");
	snprintf(why->message, sizeof(why->message), "no answer within %g s",
		 client->timeout_ms / 1000.0);
	return CLIENT_DEADLINE;
}

int rpc_fail_error(struct rpc_failure *why, json_t *error)
{
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *message = json_string_value(json_object_get(error, "message"));

	if (!code)
		return CLIENT_OK;
	snprintf(why->code, sizeof(why->code), "%s", code);
	snprintf(why->message, sizeof(why->message), "%s", message ? message : code);
	return strcmp(code, "deadline_exceeded") == 0 ? CLIENT_DEADLINE : CLIENT_REFUSED;
}

int rpc_fail_answer(struct rpc_failure *why, const struct client *client, long status,
		    const char *body, size_t body_len)
{
	json_t *error = json_loadb(body, body_len, 0, NULL);
	int result = rpc_fail_error(why, error);

	if (result == CLIENT_OK) {
		snprintf(why->message, sizeof(why->message),
			 "%s: HTTP status %ld without a Connect error: is that `sluice ctrl`?",
			 client->socket, status);
		result = CLIENT_UNREACHABLE;
	}
	json_decref(error);
	return result;
}

static int read_answer(const struct client *client, const struct http_answer *answer,
		       json_t **reply, struct rpc_failure *why)
{
	json_error_t error;

	if (answer->status != 200)
		return rpc_fail_answer(why, client, answer->status, answer->body, answer->body_len);
	*reply = json_loadb(answer->body, answer->body_len, JSON_REJECT_DUPLICATES, &error);
	if (json_is_object(*reply))
		return CLIENT_OK;
	json_decref(*reply);
	*reply = NULL;
	snprintf(why->message, sizeof(why->message), "%s: the answer is not a JSON object",
		 client->socket);
	return CLIENT_UNREACHABLE;
}

int rpc_call(const struct client *client, const char *service, const char *method, json_t *request,
	     json_t **reply, struct rpc_failure *why)
{
	struct http_answer answer = {0};
	char *body = json_dumps(request, JSON_COMPACT);
	char path[128];
	int err, result;

	*reply = NULL;
	memset(why, 0, sizeof(*why));
	json_decref(request);
	if (!body) {
		snprintf(why->message, sizeof(why->message), "an argument is not UTF-8");
		return CLIENT_USAGE;
	}
	snprintf(path, sizeof(path), "/" RPC_PACKAGE ".%s/%s", service, method);
	err = http_post(client->socket, path, body, client->timeout_ms, &answer);
	if (err < 0)
		result = rpc_fail_transport(why, client, err);
	else
		result = read_answer(client, &answer, reply, why);
	free(answer.body);
	free(body);
	return result;
}

int rpc_complain(int exit_code, const char *where, const struct rpc_failure *why)
{
	fprintf(stderr, "sluicectl: %s%s%s%s\n", where, why->code, why->code[0] ? ": " : "",
		why->message);
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (strcmp(hints[i].code, why->code) == 0)
			fprintf(stderr, "sluicectl: %s\n", hints[i].hint);
	return exit_code;
}

int rpc_call_or_complain(const struct client *client, const char *service, const char *method,
			 json_t *request, json_t **reply)
{
	struct rpc_failure why;
	int result = rpc_call(client, service, method, request, reply, &why);

	return result == CLIENT_OK ? CLIENT_OK : rpc_complain(result, "", &why);
}
