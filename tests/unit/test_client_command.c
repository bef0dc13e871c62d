/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of commands, and what is made from it: completion, the man page's part. */
#include "ctrl/client/command.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#include "ctrl/client/schema.h"

static const struct client nobody_there = {.socket = "/nowhere/ctrl.sock", .timeout_ms = 100};

/* What complete_print says to words divided by blanks; "" is a last word not yet begun. */
static char *complete(const char *line)
{
	char copy[256], *words[16], *text = NULL, *rest = copy, *word;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	int n = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	while ((word = strsep(&rest, " ")))
		words[n++] = word;
	complete_print(to, &nobody_there, n, words);
	fclose(to);
	return text;
}

/* The candidates, without what they are, as "a b c". */
static void assert_completes(const char *line, const char *wanted)
{
	char *text = complete(line), found[2048] = "", *rest = text, *candidate;

	while ((candidate = strsep(&rest, "\n"))) {
		candidate[strcspn(candidate, "\t")] = '\0';
		if (*candidate && *found)
			strcat(found, " ");
		strcat(found, candidate);
	}
	assert_string_equal(found, wanted);
	free(text);
}

static void test_completes_commands(void **state)
{
	(void)state;
	assert_completes("ap", "apply api");
	assert_completes("route ", "list show update create delete");
	assert_completes("interface ", "list show update");
	assert_completes("worker re", "restart resume");
	assert_completes("wrong ", "");
	assert_completes("route wrong ", "");
	assert_completes("completion ", "bash zsh fish");
	assert_completes("completion bash ", "");
	assert_completes("api call RouteService/G", "RouteService/GetRoute");
}

static void test_completes_options(void **state)
{
	(void)state;
	assert_completes("--s", "--socket");
	assert_completes("apply --dr", "--dry-run");
	assert_completes("apply --confirm", "--confirm-timeout");
	assert_completes("apply --limit", "");
	assert_completes("route delete --d", "--dry-run");
	assert_completes("route list --d", "");
	assert_completes("-o ", "table wide json yaml");
	assert_completes("--output j", "json");
	assert_completes("apply --file ", ":files");
	assert_completes("apply -f ", ":files");
	/* An option's argument is no command. */
	assert_completes("--socket apply route li", "list");
	assert_completes("-o json route li", "list");
	assert_completes("--output=json route li", "list");
}

static void test_completes_keys(void **state)
{
	(void)state;
	assert_completes("route create r pre", "prefix=");
	assert_completes("route create r blackhole=", "blackhole=true blackhole=false");
	assert_completes("virtual-server update web protocol=t", "protocol=tcp");
	assert_completes("backend update web/web-1 forwarding-mode=fulln",
			 "forwarding-mode=fullnat");
	assert_completes("backend update web/web-1 forwardingMode=fulln", "forwardingMode=fullnat");
	assert_completes("virtual-server update web etag=", "");
	assert_completes("connections prot", "protocol=");
	assert_completes("connections client", "clientAddress=");
	assert_completes("connections protocol=u", "protocol=udp");
	assert_completes("connection delete backend=web/x protocol=u", "protocol=udp");
	assert_completes("connection delete --a", "--all");
}

/* The daemon is not there: no names, and not a word of complaint. */
static void test_completes_without_daemon(void **state)
{
	(void)state;
	assert_completes("virtual-server show ", "");
	assert_completes("backend show web/", "");
	assert_completes("worker restart ", "");
	assert_completes("virtual-server update web backendPool=", "");
}

static void check_command(const struct noun *noun, const struct command *c)
{
	bool names = c->first == COMPLETES_NAME || c->others == COMPLETES_KEYS;

	assert_true(c->help[0] && strlen(c->help) < 64);
	assert_true(c->help[strlen(c->help) - 1] != '.');
	assert_true(c->verb || noun->n_commands == 1);
	assert_int_equal(c->max_args > 0, *c->arguments != '\0');
	assert_true(c->min_args <= c->max_args);
	assert_true(!names || noun->kind);
	assert_ptr_equal(command_verb(noun, c->verb), c);
	if (c->method)
		assert_non_null(command_role(noun, c));
}

static void test_table(void **state)
{
	unsigned int bits = 0;

	(void)state;
	for (const struct noun *n = command_nouns; n->name; n++) {
		assert_ptr_equal(command_noun(n->name), n);
		assert_true(n->n_commands > 0);
		for (unsigned int i = 0; i < n->n_commands; i++)
			check_command(n, &n->commands[i]);
	}
	for (const struct command_option *o = command_options; o->name; o++) {
		assert_int_equal(bits & o->bit, 0);
		bits |= o->bit;
	}
}

static const char *role_of(const char *noun, const char *verb)
{
	const struct noun *n = command_noun(noun);

	return command_role(n, command_verb(n, verb));
}

static void test_roles(void **state)
{
	(void)state;
	assert_string_equal(role_of("connection", "delete"), "operator");
	assert_string_equal(role_of("connections", NULL), "viewer");
	assert_string_equal(role_of("backend", "list"), "viewer");
	assert_string_equal(role_of("local-pool", "create"), "operator");
	assert_string_equal(role_of("restore", NULL), "operator");
	assert_null(role_of("ipvsadm", NULL));
}

/* What the verbs of a resource call is in the .proto files. */
static void test_kinds(void **state)
{
	char method[64];

	(void)state;
	for (const struct noun *n = command_nouns; n->name; n++) {
		const struct kind *k = n->kind;

		if (!k)
			continue;
		assert_non_null(schema_message(k->one));
		snprintf(method, sizeof(method), "List%s", k->many);
		assert_non_null(schema_method(k->service, method));
		snprintf(method, sizeof(method), "Update%s", k->one);
		assert_non_null(schema_method(k->service, method));
		for (const struct column *c = k->columns; c->header; c++)
			assert_non_null(schema_field(schema_message(k->one), c->field,
						     strcspn(c->field, ":")));
	}
}

static void test_schema(void **state)
{
	const struct schema_message *server = schema_message("Backend");
	const struct schema_field *mode;

	(void)state;
	assert_non_null(server);
	mode = schema_field(server, "forwardingMode", 14);
	assert_non_null(mode);
	assert_ptr_equal(schema_field(server, "forwarding-mode", 15), mode);
	assert_ptr_equal(schema_field(server, "forwarding_mode=x", 15), mode);
	assert_null(schema_field(server, "forwardingmode", 14));
	assert_null(schema_field(server, "forwardingMode_", 15));
	assert_int_equal(mode->type, SCHEMA_ENUM);
	assert_string_equal(mode->of, "ForwardingMode");
	assert_false(schema_settable(schema_field(server, "etag", 4)));
	assert_false(schema_settable(schema_field(schema_message("Interface"), "mac", 3)));
	assert_null(schema_message("Nothing"));
	assert_null(schema_enum("Nothing"));
	assert_null(schema_method("ConfigService", "Nothing"));
}

static void test_man_page(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	(void)state;
	mdoc_print(to);
	fclose(to);
	assert_non_null(strstr(text, ".Ss backend\n"));
	assert_non_null(strstr(text, ".It Ic worker restart Oo Fl -all Oc Oo Ar id Oc\n"));
	assert_non_null(strstr(text, " Ar pool/name Oo Ar key Ns = Ns Ar value ... Oc\n"));
	assert_non_null(strstr(text, ".It Ic completion Cm bash | zsh | fish\n"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_completes_commands),
		cmocka_unit_test(test_completes_options),
		cmocka_unit_test(test_completes_keys),
		cmocka_unit_test(test_completes_without_daemon),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_schema),
		cmocka_unit_test(test_man_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
