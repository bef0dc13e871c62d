/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an exchange's data (http_data) points to: whoever answers it, as those see him who serve the
 * sockets. A call (serve.c) or a scrape (scrape.c).
 */
#ifndef CTRL_RPC_EXCHANGE_H
#define CTRL_RPC_EXCHANGE_H

struct exchange {
	/* As in struct http_handler. After `gone` it is no more. */
	void (*gone)(struct exchange *exchange);
	void (*drained)(struct exchange *exchange);
};

#endif
