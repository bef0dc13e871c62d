/* SPDX-License-Identifier: BSD-3-Clause */
/* What could stand where the cursor is, from the table of commands and the daemon's names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl/client/command.h"
#include "ctrl/client/rpc.h"
#include "ctrl/client/schema.h"

#define NAMES_MAX       1000 /* a page: nobody picks from more */
#define REVISIONS_MAX   50
#define NAMES_WITHIN_MS 500

/* The command line up to the cursor. */
struct line {
	FILE *to;
	struct client client;                /* with the --socket that was given */
	const char *word;                    /* that the cursor stands behind */
	const struct command_option *option; /* whose argument the word is, or NULL */
	char *argument[2]; /* the first ones before the word that are no options */
	int n_arguments;
};

static void offer(const struct line *line, const char *prefix, const char *candidate,
		  const char *suffix, const char *text)
{
	char whole[512];

	snprintf(whole, sizeof(whole), "%s%s%s", prefix, candidate, suffix);
	if (strncmp(whole, line->word, strlen(line->word)) == 0 && !strpbrk(whole, " \t\n"))
		fprintf(line->to, "%s\t%.*s\n", whole, (int)strcspn(text, "\t\r\n"), text);
}

/* ---- live names ---- */

/* The names in `list` of an answer, each between prefix and suffix. */
static void offer_names(const struct line *line, const char *service, const char *method,
			json_t *request, const char *list, const char *key, const char *prefix,
			const char *suffix, const char *text)
{
	struct rpc_failure ignored;
	json_t *reply, *one;
	size_t i;

	if (rpc_call(&line->client, service, method, request, &reply, &ignored) != CLIENT_OK)
		return;
	json_array_foreach (json_object_get(reply, list), i, one) {
		json_t *name = json_object_get(one, key);
		char number[32];

		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(name));
		offer(line, prefix, json_is_string(name) ? json_string_value(name) : number, suffix,
		      text);
	}
	json_decref(reply);
}

static void offer_kind(const struct line *line, const struct kind *kind, const char *prefix,
		       const char *suffix)
{
	char method[64];

	snprintf(method, sizeof(method), "List%s", kind->many);
	offer_names(line, kind->service, method, json_pack("{si}", "pageSize", NAMES_MAX),
		    kind->list, "name", prefix, suffix, kind->noun);
}

/* POOL/NAME: first the pools, then a pool's. */
static void offer_parts(const struct line *line, const struct kind *kind)
{
	const char *slash = strchr(line->word, '/');
	char prefix[128], method[64];

	if (!slash) {
		offer_kind(line, kind_of_field(kind->parent), "", "/");
		return;
	}
	snprintf(prefix, sizeof(prefix), "%.*s", (int)(slash + 1 - line->word), line->word);
	snprintf(method, sizeof(method), "List%s", kind->many);
	offer_names(line, kind->service, method,
		    json_pack("{ss%si}", kind->parent, line->word, (size_t)(slash - line->word),
			      "pageSize", NAMES_MAX),
		    kind->list, "name", prefix, "", kind->noun);
}

/* The latest, each with its comment. */
static void offer_revisions(const struct line *line)
{
	struct rpc_failure ignored;
	json_t *reply, *one;
	size_t i;

	if (rpc_call(&line->client, "ConfigService", "ListConfigRevisions",
		     json_pack("{si}", "pageSize", REVISIONS_MAX), &reply, &ignored) != CLIENT_OK)
		return;
	json_array_foreach (json_object_get(reply, "revisions"), i, one) {
		const char *number = json_string_value(json_object_get(one, "revision"));
		const char *comment = json_string_value(json_object_get(one, "comment"));

		if (number)
			offer(line, "", number, "", comment ? comment : "");
	}
	json_decref(reply);
}

/* ---- what the table says ---- */

static void offer_nouns(const struct line *line)
{
	for (const struct noun *n = command_nouns; n->name; n++)
		offer(line, "", n->name, "", n->help);
}

static void offer_verbs(const struct line *line, const struct noun *noun)
{
	for (unsigned int i = 0; i < noun->n_commands; i++)
		offer(line, "", noun->commands[i].verb, "", noun->commands[i].help);
}

static void offer_options(const struct line *line, const struct command *command)
{
	char name[64];

	for (const struct command_option *o = command_options; o->name; o++) {
		if (o->bit && !(command && (o->bit & command->options)))
			continue;
		snprintf(name, sizeof(name), "--%s", o->name);
		offer(line, "", name, "", o->help);
	}
}

static void offer_option_argument(const struct line *line)
{
	const struct command_option *o = line->option;

	for (int i = 0; o->values && o->values[i]; i++)
		offer(line, "", o->values[i], "", "");
	if (strcmp(o->argument, "FILE") == 0)
		fprintf(line->to, ":files\n");
}

/* The VALUE of KEY=VALUE; of a list the element behind the last comma. */
static void offer_values(const struct line *line, const struct schema_field *field)
{
	const struct schema_enum *e = field->type == SCHEMA_ENUM ? schema_enum(field->of) : NULL;
	const struct kind *kind = kind_of_field(field->json);
	const char *value = strchr(line->word, '=') + 1;
	const char *comma = field->list ? strrchr(value, ',') : NULL;
	char prefix[256];

	value = comma ? comma + 1 : value;
	snprintf(prefix, sizeof(prefix), "%.*s", (int)(value - line->word), line->word);
	for (int i = 0; e && e->values[i]; i++)
		offer(line, prefix, e->values[i], "", "");
	if (field->type == SCHEMA_TRUTH) {
		offer(line, prefix, "true", "", "");
		offer(line, prefix, "false", "", "");
	}
	if (kind)
		offer_kind(line, kind, prefix, "");
}

static void offer_keys(const struct line *line, const char *of)
{
	const struct schema_message *message = schema_message(of);
	size_t len = strcspn(line->word, "=");

	if (line->word[len]) {
		const struct schema_field *f = schema_field(message, line->word, len);

		if (f && schema_settable(f))
			offer_values(line, f);
		return;
	}
	for (const struct schema_field *f = message->fields; f->json; f++)
		if (schema_settable(f))
			offer(line, "", f->json, "=", f->text);
}

static void offer_methods(const struct line *line)
{
	for (const struct schema_method *m = schema_methods; m->service; m++) {
		char name[128];

		snprintf(name, sizeof(name), "%s/%s", m->service, m->method);
		offer(line, "", name, "", m->request);
	}
}

static void offer_words(const struct line *line, const char *const *words)
{
	for (; *words; words++)
		offer(line, "", *words, "", "");
}

static void offer_argument(const struct line *line, const struct noun *noun, enum completes what)
{
	const struct kind *kind = noun->kind;

	switch (what) {
	case COMPLETES_NOTHING: break;
	case COMPLETES_NAME:
		if (kind->parent)
			offer_parts(line, kind);
		else
			offer_kind(line, kind, "", "");
		break;
	case COMPLETES_POOL: offer_kind(line, &kind_pool, "", ""); break;
	case COMPLETES_WORKER:
		offer_names(line, "WorkerService", "ListWorkers", json_object(), "workers", "id",
			    "", "", "worker");
		break;
	case COMPLETES_KEYS: offer_keys(line, kind->one); break;
	case COMPLETES_FILTERS: offer_keys(line, noun->filters); break;
	case COMPLETES_REVISION: offer_revisions(line); break;
	case COMPLETES_METHOD: offer_methods(line); break;
	case COMPLETES_NOUN: offer_nouns(line); break;
	case COMPLETES_SHELL:
		offer_words(line, (const char *[]){"bash", "zsh", "fish", NULL});
		break;
	case COMPLETES_PROTOCOL: offer_words(line, (const char *[]){"tcp", "udp", NULL}); break;
	}
}

/* ---- reading the line ---- */

/* "--socket", "--socket=FILE", "-o": *value is what stands behind '=', or NULL. */
static const struct command_option *find_option(char *word, const char **value)
{
	size_t len = strcspn(word, "=");

	*value = word[len] ? word + len + 1 : NULL;
	for (const struct command_option *o = command_options; o->name; o++) {
		bool same = word[1] == '-' ? strlen(o->name) == len - 2 &&
						     strncmp(o->name, word + 2, len - 2) == 0
					   : word[1] == o->letter && !word[2];

		if (same)
			return o;
	}
	return NULL;
}

/* The words before the cursor's: options are taken out, the others counted. */
static void read_words(struct line *line, int n, char **words)
{
	for (int i = 0; i < n; i++) {
		const struct command_option *o;
		const char *value;

		if (words[i][0] != '-' || !words[i][1]) {
			if (line->n_arguments < 2)
				line->argument[line->n_arguments] = words[i];
			line->n_arguments++;
			continue;
		}
		o = find_option(words[i], &value);
		if (!o || !o->argument)
			continue;
		if (!value && i + 1 == n)
			line->option = o;
		else if (!value)
			value = words[++i];
		if (value && strcmp(o->name, "socket") == 0)
			line->client.socket = value;
	}
}

static void offer_all(const struct line *line, const struct noun *noun)
{
	const struct command *command;
	int used;

	command =
		noun ? command_verb(noun, line->n_arguments > 1 ? line->argument[1] : NULL) : NULL;
	if (line->option) {
		offer_option_argument(line);
	} else if (line->word[0] == '-') {
		offer_options(line, command);
	} else if (line->n_arguments == 0) {
		offer_nouns(line);
	} else if (command) {
		used = command->verb ? 2 : 1;
		if (line->n_arguments - used < command->max_args)
			offer_argument(line, noun,
				       line->n_arguments == used ? command->first
								 : command->others);
	} else if (noun && line->n_arguments == 1) {
		offer_verbs(line, noun);
	}
}

void complete_print(FILE *to, const struct client *client, int n_words, char **words)
{
	struct line line = {.to = to, .client = *client, .word = ""};

	if (n_words > 0) {
		line.word = words[n_words - 1];
		read_words(&line, n_words - 1, words);
	}
	line.client.timeout_ms = NAMES_WITHIN_MS;
	offer_all(&line, line.n_arguments ? command_noun(line.argument[0]) : NULL);
}
