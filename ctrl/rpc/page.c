/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/page.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_MAX 19 /* digits: fits 64 bits */

bool page_begin(struct page *page, uint32_t size, const char *token, struct problem *why)
{
	*page = (struct page){.size = size ? size : PAGE_SIZE};
	if (page->size > PAGE_SIZE_MAX)
		page->size = PAGE_SIZE_MAX;
	page->before = strtoull(token, NULL, 10);
	if (token[strspn(token, "0123456789")] || strlen(token) > TOKEN_MAX ||
	    (*token && !page->before)) {
		problem_set(why, PROBLEM_INVALID_ARGUMENT, "page_token: not one of this API");
		return false;
	}
	return true;
}

bool page_take(struct page *page, uint64_t number)
{
	if (page->n >= page->size) {
		page->more = true;
		return false;
	}
	page->n++;
	page->last = number;
	return true;
}

char *page_token(struct rpc_call *call, const struct page *page)
{
	return page->more ? rpc_format(call, "%" PRIu64, page->last) : rpc_format(call, "%s", "");
}
