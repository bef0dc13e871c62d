/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shells' scripts. Each hands the words up to the cursor to `sluicectl __complete`, of the
 * very program that is typed, and shows what comes back (see complete_print), so that they need no
 * change when commands do.
 */
#include <stdio.h>
#include <string.h>

#include "ctrl/client/command.h"

/*
 * Bash takes '=' and ':' for ends of words, and replaces only what stands behind the last; so the
 * words are cut from the line at blanks, and what stands before is taken off the candidates.
 */
static const char bash[] =
	"# bash completion for sluicectl\n"
	"_sluicectl() {\n"
	"	local line=${COMP_LINE:0:COMP_POINT} cur before= candidate\n"
	"	local -a words\n"
	"	read -ra words <<<\"$line\"\n"
	"	[[ $line != *[[:blank:]] ]] || words+=('')\n"
	"	cur=${words[${#words[@]} - 1]}\n"
	"	[[ $cur != *[=:]* ]] || before=${cur%\"${cur##*[=:]}\"}\n"
	"	COMPREPLY=()\n"
	"	while IFS=$'\\t' read -r candidate _; do\n"
	"		if [[ $candidate == :files ]]; then\n"
	"			compopt -o filenames\n"
	"			mapfile -t COMPREPLY < <(compgen -f -- \"${cur#\"$before\"}\")\n"
	"			return\n"
	"		fi\n"
	"		[[ $candidate != *[=,/] ]] || compopt -o nospace\n"
	"		COMPREPLY+=(\"${candidate#\"$before\"}\")\n"
	"	done < <(\"${words[0]}\" __complete \"${words[@]:1}\" 2>/dev/null)\n"
	"}\n"
	"complete -F _sluicectl sluicectl\n";

static const char zsh[] =
	"#compdef sluicectl\n"
	"# zsh completion for sluicectl\n"
	"_sluicectl() {\n"
	"	local -a plain open shown_plain shown_open\n"
	"	local candidate text\n"
	"	while IFS=$'\\t' read -r candidate text; do\n"
	"		if [[ $candidate == :files ]]; then\n"
	"			_files\n"
	"			return\n"
	"		elif [[ $candidate == *[=,/] ]]; then\n"
	"			open+=(\"$candidate\")\n"
	"			shown_open+=(\"$candidate${text:+  -- $text}\")\n"
	"		else\n"
	"			plain+=(\"$candidate\")\n"
	"			shown_plain+=(\"$candidate${text:+  -- $text}\")\n"
	"		fi\n"
	"	done < <(\"${words[1]}\" __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
	"	(( $#plain )) && compadd -l -d shown_plain -a plain\n"
	"	(( $#open )) && compadd -l -S '' -d shown_open -a open\n"
	"	(( $#plain + $#open ))\n"
	"}\n"
	"if [ \"$funcstack[1]\" = _sluicectl ]; then\n"
	"	_sluicectl \"$@\"\n"
	"else\n"
	"	compdef _sluicectl sluicectl\n"
	"fi\n";

static const char fish[] =
	"# fish completion for sluicectl\n"
	"function __sluicectl_complete\n"
	"	set -l words (commandline -opc) (commandline -ct)\n"
	"	set -l candidates ($words[1] __complete $words[2..-1] 2>/dev/null)\n"
	"	if test \"$candidates\" = :files\n"
	"		__fish_complete_path (commandline -ct)\n"
	"	else\n"
	"		printf '%s\\n' $candidates\n"
	"	end\n"
	"end\n"
	"complete -c sluicectl -f -a '(__sluicectl_complete)'\n";

int completion_run(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	static const struct {
		const char *shell;
		const char *script;
	} scripts[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};

	(void)client;
	(void)noun;
	(void)argc;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		if (strcmp(scripts[i].shell, argv[0]) == 0) {
			fputs(scripts[i].script, stdout);
			return CLIENT_OK;
		}
	}
	return client_usage_error("no script for '%s': there are bash, zsh and fish", argv[0]);
}
