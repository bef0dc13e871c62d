/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/rpc/http_parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A token's characters, RFC 9110 section 5.6.2. */
static bool is_token(const char *text)
{
	if (!*text)
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr("!#$%&'*+-.^_`|~", *text))
			return false;
	return true;
}

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x21 || *text == 0x7f)
			return false;
	return true;
}

/* Cut the line that starts at *at, which moves behind its CRLF. NULL without a CRLF. */
static char *next_line(char **at)
{
	char *line = *at, *end = strstr(line, "\r\n");

	if (!end)
		return NULL;
	*end = '\0';
	*at = end + 2;
	return line;
}

static int parse_request_line(struct http_head *head, char *line, const char **why)
{
	char *target = strchr(line, ' ');
	char *version = target ? strchr(target + 1, ' ') : NULL;

	*why = "malformed request line";
	if (!version)
		return 400;
	*target++ = '\0';
	*version++ = '\0';
	if (!is_token(line) || !*target || !is_printable(target))
		return 400;
	if (strncmp(version, "HTTP/", 5))
		return 400;
	if (strcmp(version, "HTTP/1.1") && strcmp(version, "HTTP/1.0")) {
		*why = "HTTP/1.1 and HTTP/1.0 are served";
		return 505;
	}
	head->method = line;
	head->target = target;
	head->minor = version[7] - '0';
	return 0;
}

static int parse_header(struct http_head *head, char *line, const char **why)
{
	char *colon = strchr(line, ':'), *value, *end;

	*why = "malformed header field";
	if (!colon)
		return 400;
	*colon = '\0';
	if (!is_token(line))
		return 400;
	value = colon + 1 + strspn(colon + 1, " \t");
	for (end = value + strlen(value); end > value && strchr(" \t", end[-1]); end--)
		end[-1] = '\0';
	for (const char *c = value; *c; c++)
		if (iscntrl((unsigned char)*c) && *c != '\t')
			return 400;
	if (head->n_headers == HTTP_HEADERS_MAX) {
		*why = "too many header fields";
		return 431;
	}
	head->header[head->n_headers++] = (struct http_header){line, value};
	return 0;
}

const char *http_head_field(const struct http_head *head, const char *name)
{
	for (unsigned int i = 0; i < head->n_headers; i++)
		if (!strcasecmp(head->header[i].name, name))
			return head->header[i].value;
	return NULL;
}

static unsigned int count_fields(const struct http_head *head, const char *name)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < head->n_headers; i++)
		n += !strcasecmp(head->header[i].name, name);
	return n;
}

/* An element of a comma-separated list, as Connection's are. */
static bool has_element(const char *list, const char *element)
{
	size_t len = strlen(element);

	while (list && *list) {
		list += strspn(list, " \t,");
		if (!strncasecmp(list, element, len) && (!list[len] || strchr(" \t,", list[len])))
			return true;
		list += strcspn(list, ",");
	}
	return false;
}

static int parse_framing(struct http_head *head, const char **why)
{
	const char *length = http_head_field(head, "Content-Length");
	const char *encoding = http_head_field(head, "Transfer-Encoding");

	if (count_fields(head, "Content-Length") + count_fields(head, "Transfer-Encoding") > 1) {
		*why = "body length given more than once";
		return 400;
	}
	if (encoding) {
		*why = "of transfer encodings chunked alone is served";
		head->chunked = true;
		return strcasecmp(encoding, "chunked") || head->minor == 0 ? 501 : 0;
	}
	if (length) {
		*why = "malformed Content-Length";
		if (!*length || length[strspn(length, "0123456789")] || strlen(length) > 18)
			return 400;
		head->content_length = strtoull(length, NULL, 10);
	}
	return 0;
}

static int parse_connection(struct http_head *head, const char **why)
{
	const char *connection = http_head_field(head, "Connection");
	const char *expect = http_head_field(head, "Expect");

	if (head->minor == 1 && count_fields(head, "Host") != 1) {
		*why = "HTTP/1.1 needs one Host field";
		return 400;
	}
	head->keep_alive = head->minor == 1 && !has_element(connection, "close");
	if (expect && head->minor == 1) {
		*why = "of expectations 100-continue alone is served";
		head->expect_continue = true;
		return strcasecmp(expect, "100-continue") ? 417 : 0;
	}
	return 0;
}

int http_head_parse(struct http_head *head, char *text, size_t len, const char **why)
{
	char *at = text, *line;
	int status;

	*head = (struct http_head){.method = "", .target = ""};
	*why = "NUL in the header";
	if (memchr(text, '\0', len))
		return 400;
	line = next_line(&at);
	status = line ? parse_request_line(head, line, why) : 400;
	while (status == 0 && (line = next_line(&at)) && *line)
		status = parse_header(head, line, why);
	if (status == 0)
		status = parse_framing(head, why);
	if (status == 0)
		status = parse_connection(head, why);
	return status;
}
