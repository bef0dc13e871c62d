/* SPDX-License-Identifier: BSD-3-Clause */
/* Pages of a list by descending number: a token is the last number of the page before. */
#ifndef CTRL_RPC_PAGE_H
#define CTRL_RPC_PAGE_H

#include "ctrl/rpc/call.h"

#define PAGE_SIZE     100
#define PAGE_SIZE_MAX 1000

struct page {
	size_t size;
	uint64_t before; /* numbers below; 0: all */
	size_t n;        /* taken */
	uint64_t last;   /* the last taken */
	bool more;       /* than fit */
};

/* False: *why says that the token is wrong. */
bool page_begin(struct page *page, uint32_t size, const char *token, struct problem *why);

/* One more: false when it is on the next page. */
bool page_take(struct page *page, uint64_t number);

/* Of the next page; "": there is none. NULL: the call's memory is used up. */
char *page_token(struct rpc_call *call, const struct page *page);

#endif
