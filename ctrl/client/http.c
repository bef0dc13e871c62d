/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/client/http.h"

#include <curl/curl.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t take(char *piece, size_t one, size_t len, void *to)
{
	struct http_answer *answer = to;
	char *more;

	(void)one;
	if (answer->body_len + len > HTTP_ANSWER_MAX)
		return 0; /* ends the transfer with CURLE_WRITE_ERROR */
	more = realloc(answer->body, answer->body_len + len);
	if (!more)
		return 0;
	answer->body = more;
	memcpy(answer->body + answer->body_len, piece, len);
	answer->body_len += len;
	return len;
}

static struct curl_slist *make_headers(const char *content_type, unsigned int timeout_ms)
{
	char line[96];
	struct curl_slist *headers = NULL;

	snprintf(line, sizeof(line), "Content-Type: %s", content_type);
	headers = curl_slist_append(headers, line);
	headers = curl_slist_append(headers, "Connect-Protocol-Version: 1");
	snprintf(line, sizeof(line), "Connect-Timeout-Ms: %u", timeout_ms);
	if (timeout_ms)
		headers = curl_slist_append(headers, line);
	/* Nothing is gained by asking first whether a body may be sent. */
	return curl_slist_append(headers, "Expect:");
}

static int to_errno(CURL *curl, CURLcode code)
{
	long os_error = 0;

	switch (code) {
	case CURLE_OK: return 0;
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_error);
		return os_error ? -(int)os_error : -ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT: return -ETIMEDOUT;
	case CURLE_WRITE_ERROR: return -EMSGSIZE;
	case CURLE_OUT_OF_MEMORY: return -ENOMEM;
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR: return -ECONNRESET;
	default: return -EPROTO;
	}
}

/* What every request has. */
static void set_up(CURL *curl, const char *socket_path, const char *url_path,
		   struct curl_slist *headers)
{
	char url[256];

	snprintf(url, sizeof(url), "http://localhost%s", url_path);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever the environment says */
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
}

int http_post(const char *socket_path, const char *url_path, const char *body,
	      unsigned int timeout_ms, struct http_answer *answer)
{
	struct curl_slist *headers = make_headers("application/json", timeout_ms);
	CURL *curl = curl_easy_init();
	CURLcode code = CURLE_OUT_OF_MEMORY;
	int err;

	if (curl && headers) {
		set_up(curl, socket_path, url_path, headers);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
		/* The daemon keeps the deadline too, and can say more about it: it goes first. */
		curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms + 500);
		curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
		curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
		code = curl_easy_perform(curl);
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
	}
	err = to_errno(curl, code);
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	return err;
}

/* A stream's receiver, for curl. */
struct receiver {
	CURL *curl;
	long *status;
	http_take_fn take;
	void *context;
	bool enough; /* it said so */
};

static size_t receive(char *piece, size_t one, size_t len, void *to)
{
	struct receiver *r = to;

	(void)one;
	curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, r->status);
	if (r->take(r->context, piece, len))
		return len;
	r->enough = true;
	return 0;
}

int http_stream(const char *socket_path, const char *url_path, const void *body, size_t body_len,
		long *status, http_take_fn take_piece, void *context)
{
	struct curl_slist *headers = make_headers("application/connect+json", 0);
	struct receiver receiver = {curl_easy_init(), status, take_piece, context, false};
	CURLcode code = CURLE_OUT_OF_MEMORY;
	int err;

	*status = 0;
	if (receiver.curl && headers) {
		set_up(receiver.curl, socket_path, url_path, headers);
		curl_easy_setopt(receiver.curl, CURLOPT_POSTFIELDSIZE, (long)body_len);
		curl_easy_setopt(receiver.curl, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(receiver.curl, CURLOPT_WRITEFUNCTION, receive);
		curl_easy_setopt(receiver.curl, CURLOPT_WRITEDATA, &receiver);
		code = curl_easy_perform(receiver.curl);
		curl_easy_getinfo(receiver.curl, CURLINFO_RESPONSE_CODE, status);
	}
	err = receiver.enough ? 0 : to_errno(receiver.curl, code);
	curl_easy_cleanup(receiver.curl);
	curl_slist_free_all(headers);
	return err;
}
