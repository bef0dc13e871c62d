/* SPDX-License-Identifier: BSD-3-Clause */
/* From command lines to what they do. */
#include "ctrl/client/ipvsadm/ipvsadm.h"

#include <stdlib.h>
#include <string.h>

#include "ctrl/client/command.h"

#define WORDS_MAX   64
#define ATTEMPTS    10 /* to change what others change at the same time */
#define COMMENT_MAX 200

/* A list of commands that change something, done together. */
struct batch {
	struct ipvs_request *request;
	unsigned int *line; /* of -R, of each */
	size_t n, room;
};

static bool batch_add(struct batch *batch, const struct ipvs_request *request)
{
	if (batch->n == batch->room) {
		size_t room = batch->room ? 2 * batch->room : 64;
		void *requests = realloc(batch->request, room * sizeof(*batch->request));
		void *lines;

		if (!requests)
			return false;
		batch->request = requests;
		lines = realloc(batch->line, room * sizeof(*batch->line));
		if (!lines)
			return false;
		batch->line = lines;
		batch->room = room;
	}
	batch->request[batch->n] = *request;
	batch->line[batch->n++] = ipvs_line;
	return true;
}

static void batch_free(struct batch *batch)
{
	free(batch->request);
	free(batch->line);
}

/* On the configuration as it is now; `again` when it has changed meanwhile. */
static int do_once(const struct client *client, const struct batch *batch, const char *comment,
		   bool *again)
{
	json_t *config = ipvs_config_load(client);
	int result = config ? IPVS_OK : IPVS_NO_DAEMON;

	*again = false;
	for (size_t i = 0; result == IPVS_OK && i < batch->n; i++) {
		ipvs_line = batch->line[i];
		result = ipvs_change(config, &batch->request[i]);
	}
	ipvs_line = 0;
	if (result == IPVS_OK)
		return ipvs_config_store(client, config, comment, again);
	json_decref(config);
	return result;
}

static int do_batch(const struct client *client, const struct batch *batch, const char *comment)
{
	bool again = true;
	int result = IPVS_OK;

	for (int i = 0; again && i < ATTEMPTS; i++)
		result = do_once(client, batch, comment, &again);
	return again ? ipvs_refuse("others change the configuration all the time: try again")
		     : result;
}

static int do_one(const struct client *client, const struct ipvs_request *request, int argc,
		  char **argv)
{
	struct ipvs_request copy = *request;
	unsigned int line = 0;
	struct batch batch = {&copy, &line, 1, 1};
	char comment[COMMENT_MAX] = "ipvsadm";

	for (int i = 1; i < argc; i++) {
		size_t used = strlen(comment);

		snprintf(comment + used, sizeof(comment) - used, " %s", argv[i]);
	}
	return do_batch(client, &batch, comment);
}

/* ---- -R ---- */

static bool changes(enum ipvs_command command)
{
	switch (command) {
	case IPVS_ADD_SERVICE:
	case IPVS_EDIT_SERVICE:
	case IPVS_DELETE_SERVICE:
	case IPVS_FLUSH:
	case IPVS_ADD_SERVER:
	case IPVS_EDIT_SERVER:
	case IPVS_DELETE_SERVER:
	case IPVS_SET:
	case IPVS_ADD_LADDR:
	case IPVS_DELETE_LADDR: return true;
	default: return false;
	}
}

/* A line's words, with or without "ipvsadm" before them, become a command of the batch. */
static int read_line(char *line, struct batch *batch)
{
	char *argv[WORDS_MAX + 1] = {"ipvsadm"}, *rest, *word;
	struct ipvs_request request;
	int argc = 1, result;

	for (word = strtok_r(line, " \t\n", &rest); word; word = strtok_r(NULL, " \t\n", &rest)) {
		if (argc == 1 && strcmp(word, "ipvsadm") == 0)
			continue;
		if (argc == WORDS_MAX)
			return ipvs_refuse("too many words");
		argv[argc++] = word;
	}
	if (argc == 1)
		return IPVS_OK;
	result = ipvs_parse(argc, argv, &request);
	if (result != IPVS_OK)
		return result;
	if (!changes(request.command))
		return ipvs_refuse("'%s' changes nothing: only what -S prints is restored",
				   argv[1]);
	return batch_add(batch, &request) ? IPVS_OK : ipvs_refuse("out of memory");
}

static int restore(const struct client *client)
{
	struct batch batch = {0};
	char *line = NULL;
	size_t room = 0;
	int result = IPVS_OK;

	for (ipvs_line = 1; result == IPVS_OK && getline(&line, &room, stdin) >= 0; ipvs_line++)
		result = read_line(line, &batch);
	ipvs_line = 0;
	if (result == IPVS_OK && batch.n)
		result = do_batch(client, &batch, "ipvsadm -R");
	free(line);
	batch_free(&batch);
	return result;
}

/* ---- one command ---- */

static int list(const struct client *client, const struct ipvs_request *request)
{
	if (request->given & IPVS_CONNECTION)
		return ipvs_list_connections(client, request);
	if (request->given & IPVS_TIMEOUT)
		return ipvs_list_timeouts(client);
	return ipvs_list(client, request);
}

int ipvsadm_main(const struct client *client, int argc, char **argv)
{
	struct ipvs_request request;
	int result = ipvs_parse(argc, argv, &request);

	if (result != IPVS_OK)
		return result;
	switch (request.command) {
	case IPVS_LIST: return list(client, &request);
	case IPVS_LIST_LADDR: return ipvs_list_laddr(client, &request);
	case IPVS_SAVE: return ipvs_save(client, request.given & IPVS_NUMERIC);
	case IPVS_RESTORE: return restore(client);
	case IPVS_HELP:
	case IPVS_VERSION: ipvs_help(stdout); return IPVS_OK;
	case IPVS_ZERO:
		return ipvs_refuse("Operation not supported: counters cannot be set to zero");
	case IPVS_START_DAEMON:
	case IPVS_STOP_DAEMON:
		return ipvs_refuse("Operation not supported: connection synchronisation");
	default: return do_one(client, &request, argc, argv);
	}
}

int ipvsadm_run(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	(void)noun;
	return ipvsadm_main(client, argc + 1, argv - 1); /* the noun is the program's name */
}
