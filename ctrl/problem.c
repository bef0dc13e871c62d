/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/problem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *problem_code_name(enum problem_code code)
{
	switch (code) {
	case PROBLEM_NONE: return "ok";
#define X(symbol, number, name) \
	case PROBLEM_##symbol: return name;
		PROBLEM_CODES(X)
#undef X
	}
	return "unknown";
}

size_t problem_path(const char *text)
{
	size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789_-.[]");

	return !strncmp(text + len, ": ", 2) ? len : 0;
}

int problem_set(struct problem *problem, enum problem_code code, const char *format, ...)
{
	va_list list;

	problem->code = code;
	va_start(list, format);
	vsnprintf(problem->text, sizeof(problem->text), format, list);
	va_end(list);
	return -EINVAL;
}
