/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TLS with certificates on both sides. A client without one that the CA has signed does not get
 * beyond the handshake; which role it has is for ctrl/rpc/roles.h to say.
 */
#ifndef CTRL_RPC_TLS_H
#define CTRL_RPC_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "ctrl/problem.h"
#include "ctrl/rpc/caller.h"

struct ssl_ctx_st;
struct ssl_st;

/* PEM files. NULL with *why: which of them and what is wrong. Free with SSL_CTX_free(). */
struct ssl_ctx_st *tls_context_new(const char *certificate, const char *key, const char *client_ca,
				   struct problem *why);

/* Name the holder of the client's certificate: its subject as RFC 2253 writes it. */
void tls_identify(struct ssl_st *ssl, struct caller *caller);

/*
 * Is the client's certificate of that name? "CN=alice,O=Example", the whole subject, or an
 * alternative name: "dns:", "email:" or "uri:" and the value.
 */
bool tls_is_named(struct ssl_st *ssl, const char *name);

#endif
