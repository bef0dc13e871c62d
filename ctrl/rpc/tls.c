/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/tls.h"

#include <string.h>
#include <strings.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* Preferred first: gRPC needs HTTP/2, and who can speak it gains by it. */
static const unsigned char alpn[] = "\x02h2\x08http/1.1";

static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
			   const unsigned char *in, unsigned int in_len, void *arg)
{
	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto((unsigned char **)out, out_len, alpn, sizeof(alpn) - 1, in,
				  in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

static bool fail(struct problem *why, const char *what, const char *file)
{
	unsigned long error = ERR_peek_last_error();

	problem_set(why, PROBLEM_INVALID_ARGUMENT, "%s %.200s: %s", what, file,
		    ERR_reason_error_string(error) ?: "can't be used");
	ERR_clear_error();
	return false;
}

static bool load(SSL_CTX *ctx, const char *certificate, const char *key, const char *client_ca,
		 struct problem *why)
{
	STACK_OF(X509_NAME) * names;

	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1)
		return fail(why, "certificate", certificate);
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		return fail(why, "key", key);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return fail(why, "the certificate's key is not", key);
	names = SSL_load_client_CA_file(client_ca);
	if (!names || SSL_CTX_load_verify_locations(ctx, client_ca, NULL) != 1)
		return fail(why, "client_ca", client_ca);
	SSL_CTX_set_client_CA_list(ctx, names);
	return true;
}

struct ssl_ctx_st *tls_context_new(const char *certificate, const char *key, const char *client_ca,
				   struct problem *why)
{
	static const unsigned char session[] = "sluice";
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx || !load(ctx, certificate, key, client_ca, why)) {
		if (!ctx)
			problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "TLS: no memory");
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	/* Without it a client that comes back with a session is refused. */
	SSL_CTX_set_session_id_context(ctx, session, sizeof(session) - 1);
	SSL_CTX_set_alpn_select_cb(ctx, select_protocol, NULL);
	return ctx;
}

static void subject_of(X509 *certificate, char *out, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int n = 0;

	if (bio &&
	    X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0)
		n = BIO_read(bio, out, (int)size - 1);
	out[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
}

void tls_identify(struct ssl_st *ssl, struct caller *caller)
{
	X509 *certificate = SSL_get0_peer_certificate(ssl);

	caller->kind = CALLER_TLS;
	if (certificate)
		subject_of(certificate, caller->name, sizeof(caller->name));
}

static bool is_value(const ASN1_STRING *string, const char *value, bool any_case)
{
	size_t len = strlen(value);
	const char *data = (const char *)ASN1_STRING_get0_data(string);

	if ((size_t)ASN1_STRING_length(string) != len)
		return false;
	return any_case ? !strncasecmp(data, value, len) : !memcmp(data, value, len);
}

static bool has_alternative(X509 *certificate, int type, const char *value)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		found = name->type == type && is_value(name->d.ia5, value, type == GEN_DNS);
	}
	GENERAL_NAMES_free(names);
	return found;
}

bool tls_is_named(struct ssl_st *ssl, const char *name)
{
	static const struct {
		const char *prefix;
		int type;
	} kinds[] = {{"dns:", GEN_DNS}, {"email:", GEN_EMAIL}, {"uri:", GEN_URI}};
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	char subject[512];

	if (!certificate)
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strncmp(name, kinds[i].prefix, strlen(kinds[i].prefix)))
			return has_alternative(certificate, kinds[i].type,
					       name + strlen(kinds[i].prefix));
	subject_of(certificate, subject, sizeof(subject));
	return !strcmp(subject, name);
}
