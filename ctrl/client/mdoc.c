/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The man page's list of commands, in mdoc(7), from the table of commands. `make docs` puts it
 * into docs/sluicectl.8, `make check-docs` sees that it is there.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "ctrl/client/command.h"

/* Sentences, one a line, the first with a capital; `x` is quoted as it would be typed. */
static void print_text(FILE *to, const char *text)
{
	bool quoted = false;

	if (*text != '`')
		fputc(toupper((unsigned char)*text++), to);
	for (; *text; text++) {
		if (*text == '`') {
			fputs(quoted ? "\\(cq" : "\\(oq", to);
			quoted = !quoted;
		} else if (text[0] == '.' && text[1] == ' ') {
			fputs(".\n", to);
			text++;
		} else if (*text == '-') {
			fputs("\\-", to);
		} else {
			fputc(*text, to);
		}
	}
	fputs(text[-1] == '.' ? "\n" : ".\n", to);
}

/* "KEY=VALUE" is Ar key Ns = Ns Ar value, "bash|zsh" is Cm bash | zsh, NAME is Ar name. */
static void print_word(FILE *to, const char *word, size_t len)
{
	bool literal = islower((unsigned char)*word);

	fprintf(to, literal ? " Cm " : " Ar ");
	for (size_t i = 0; i < len; i++) {
		if (word[i] == '=')
			fputs(" Ns = Ns Ar ", to);
		else if (word[i] == '|')
			fputs(" | ", to);
		else if (word[i] == '.' && word[i - 1] != '.')
			fputs(" .", to);
		else
			fputc(tolower((unsigned char)word[i]), to);
	}
}

/* "ID [MILLISECONDS]": brackets are what may be left out, and may stand within each other. */
static void print_arguments(FILE *to, const char *arguments)
{
	while (*arguments) {
		size_t len = strcspn(arguments, " []");

		if (*arguments == '[')
			fputs(" Oo", to);
		else if (*arguments == ']')
			fputs(" Oc", to);
		else if (len)
			print_word(to, arguments, len);
		arguments += len ? len : 1;
	}
}

/* What is the same for several nouns is said with the first. */
static bool said_before(const struct noun *noun, const char *detail)
{
	for (const struct noun *n = command_nouns; n != noun; n++)
		for (unsigned int i = 0; i < n->n_commands; i++)
			if (n->commands[i].detail && strcmp(n->commands[i].detail, detail) == 0)
				return true;
	return false;
}

static void print_command(FILE *to, const struct noun *noun, const struct command *c)
{
	fprintf(to, ".It Ic %s%s%s", noun->name, c->verb ? " " : "", c->verb ? c->verb : "");
	for (const struct command_option *o = command_options; o->name; o++) {
		if (!(o->bit & c->options))
			continue;
		if (o->letter)
			fprintf(to, " Oo Fl %c", o->letter);
		else
			fprintf(to, " Oo Fl -%s", o->name);
		if (o->argument)
			print_arguments(to, o->argument);
		fprintf(to, " Oc");
	}
	print_arguments(to, c->arguments);
	fputc('\n', to);
	print_text(to, c->help);
	if (c->detail && !said_before(noun, c->detail))
		print_text(to, c->detail);
	if (command_role(noun, c))
		fprintf(to, "Role: %s.\n", command_role(noun, c));
}

static void print_noun(FILE *to, const struct noun *noun)
{
	fprintf(to, ".Ss %s\n", noun->name);
	print_text(to, noun->help);
	fprintf(to, ".Bl -tag -width indent\n");
	for (unsigned int i = 0; i < noun->n_commands; i++)
		print_command(to, noun, &noun->commands[i]);
	fprintf(to, ".El\n");
}

void mdoc_print(FILE *to)
{
	for (const struct noun *n = command_nouns; n->name; n++)
		print_noun(to, n);
}
