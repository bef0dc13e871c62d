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

static struct curl_slist *make_headers(unsigned int timeout_ms)
{
	char deadline[64];
	struct curl_slist *headers = NULL;

	snprintf(deadline, sizeof(deadline), "Connect-Timeout-Ms: %u", timeout_ms);
	headers = curl_slist_append(headers, "Content-Type: application/json");
	headers = curl_slist_append(headers, "Connect-Protocol-Version: 1");
	headers = curl_slist_append(headers, deadline);
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

int http_post(const char *socket_path, const char *url_path, const char *body,
	      unsigned int timeout_ms, struct http_answer *answer)
{
	struct curl_slist *headers = make_headers(timeout_ms);
	CURL *curl = curl_easy_init();
	CURLcode code = CURLE_OUT_OF_MEMORY;
	char url[256];
	int err;

	if (curl && headers) {
		snprintf(url, sizeof(url), "http://localhost%s", url_path);
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_path);
		curl_easy_setopt(curl, CURLOPT_URL, url);
		curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever the environment says */
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
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
