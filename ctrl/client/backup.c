/* SPDX-License-Identifier: BSD-3-Clause */
/* Backups of the configuration, to a file and back. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/base64.h>

#include "ctrl/client/command.h"
#include "ctrl/client/rpc.h"

#define RESTORE_MAX (12u << 20) /* bytes: more does not fit into a request */

/* Under its name only when it is whole, and durable. */
static int write_file(const char *path, const uint8_t *data, size_t len)
{
	char temporary[4096];
	int fd, error = 0;

	snprintf(temporary, sizeof(temporary), "%s.part", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return client_usage_error("%s: %s", temporary, strerror(errno));
	for (size_t done = 0; done < len && !error;) {
		ssize_t n = write(fd, data + done, len - done);

		error = n < 0 ? errno : 0;
		done += n < 0 ? 0 : (size_t)n;
	}
	if (!error && fsync(fd))
		error = errno;
	if (close(fd) && !error)
		error = errno;
	if (!error && rename(temporary, path))
		error = errno;
	if (!error)
		return CLIENT_OK;
	unlink(temporary);
	return client_usage_error("%s: %s", path, strerror(error));
}

static int save(const char *path, json_t *reply)
{
	const char *text = json_string_value(json_object_get(reply, "database"));
	const char *revision = json_string_value(json_object_get(reply, "revision"));
	uint8_t *data = text ? malloc(sl_base64_room(strlen(text))) : NULL;
	int result = CLIENT_USAGE;
	size_t len;

	if (!data || !sl_base64_decode(text, data, &len))
		client_usage_error("the daemon's answer holds no backup");
	else
		result = write_file(path, data, len);
	free(data);
	if (result == CLIENT_OK)
		printf("revision %s, %zu bytes: %s\n", revision ? revision : "0", len, path);
	return result;
}

int backup_run(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	json_t *reply;
	int result;

	(void)noun;
	(void)argc;
	result = rpc_call_or_complain(client, "ConfigService", "BackupConfig",
				      json_pack("{sb}", "includeHistory", client->all), &reply);
	if (result != CLIENT_OK)
		return result;
	result = save(argv[0], reply);
	json_decref(reply);
	return result;
}

/* As base64, to be freed. NULL: said why. */
static char *read_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(RESTORE_MAX + 1);
	char *text = NULL;
	size_t len = 0;

	if (file && data)
		len = fread(data, 1, RESTORE_MAX + 1, file);
	if (!file || !data || ferror(file))
		client_usage_error("%s: %s", path, strerror(errno));
	else if (len > RESTORE_MAX)
		client_usage_error("%s: is larger than a request can be; a backup without --all is "
				   "smaller",
				   path);
	else
		text = malloc(SL_BASE64_SIZE(len));
	if (text)
		sl_base64_encode(data, len, text);
	if (file)
		fclose(file);
	free(data);
	return text;
}

int restore_run(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	char *text = read_file(argv[0]);
	json_t *reply;
	int result;

	(void)noun;
	(void)argc;
	if (!text)
		return CLIENT_USAGE;
	result = rpc_call_or_complain(client, "ConfigService", "RestoreConfig",
				      json_pack("{ss sb ss}", "database", text, "validateOnly",
						client->dry_run, "comment",
						client->comment ? client->comment : ""),
				      &reply);
	free(text);
	return result == CLIENT_OK ? client_print(client, reply) : result;
}
