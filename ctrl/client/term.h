/* SPDX-License-Identifier: BSD-3-Clause */
/* What is only for a person at a terminal: colour, progress. */
#ifndef CLIENT_TERM_H
#define CLIENT_TERM_H

#include <stdbool.h>
#include <stdio.h>

#define TERM_BOLD   "\033[1m"
#define TERM_RED    "\033[31m"
#define TERM_GREEN  "\033[32m"
#define TERM_YELLOW "\033[33m"
#define TERM_PLAIN  "\033[0m"

/* Whether `stream` is a terminal that wants colours: TERM is not "dumb", NO_COLOR is not set. */
bool term_colours(FILE *stream);

/* Replace the line of progress on standard error, when that is a terminal; "" removes it. */
void term_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
