/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/client/term.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool term_colours(FILE *stream)
{
	const char *term = getenv("TERM");
	const char *no_color = getenv("NO_COLOR"); /* https://no-color.org */

	return isatty(fileno(stream)) && term && strcmp(term, "dumb") != 0 &&
	       !(no_color && *no_color);
}

void term_progress(const char *format, ...)
{
	va_list args;

	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r\033[K");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fflush(stderr);
}
