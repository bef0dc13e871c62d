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

#define PART ((size_t)8 << 20) /* bytes that go into one request */

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

/* ---- restore ---- */

/* As base64, to be freed; *len bytes, 0 at the end of the file. NULL: said why. */
static char *read_part(FILE *file, const char *path, size_t *len)
{
	uint8_t *data = malloc(PART);
	char *text = malloc(SL_BASE64_SIZE(PART));

	*len = data && text ? fread(data, 1, PART, file) : 0;
	if (!data || !text || ferror(file)) {
		client_usage_error("%s: %s", path, strerror(errno));
		free(text);
		text = NULL;
	} else {
		sl_base64_encode(data, *len, text);
	}
	free(data);
	return text;
}

/* The parts, one after the other; where they are, in `id`. */
static int upload(const struct client *client, FILE *file, const char *path, char *id, size_t size)
{
	uint64_t offset = 0;
	int result = CLIENT_OK;

	id[0] = '\0';
	while (result == CLIENT_OK) {
		json_t *reply = NULL;
		size_t len;
		char *text = read_part(file, path, &len);

		if (!text || (!len && offset)) {
			free(text);
			return text ? CLIENT_OK : CLIENT_USAGE;
		}
		result = rpc_call_or_complain(client, "ConfigService", "UploadBackup",
					      json_pack("{ss sI ss}", "uploadId", id, "offset",
							(json_int_t)offset, "data", text),
					      &reply);
		free(text);
		if (result == CLIENT_OK)
			snprintf(id, size, "%s",
				 json_string_value(json_object_get(reply, "uploadId")) ?: "");
		json_decref(reply);
		offset += len;
	}
	return result;
}

int restore_run(const struct client *client, const struct noun *noun, int argc, char **argv)
{
	FILE *file = fopen(argv[0], "rb");
	char id[32];
	json_t *reply;
	int result;

	(void)noun;
	(void)argc;
	if (!file)
		return client_usage_error("%s: %s", argv[0], strerror(errno));
	result = upload(client, file, argv[0], id, sizeof(id));
	fclose(file);
	if (result == CLIENT_OK)
		result = rpc_call_or_complain(client, "ConfigService", "RestoreConfig",
					      json_pack("{ss sb ss}", "uploadId", id,
							"validateOnly", client->dry_run, "comment",
							client->comment ? client->comment : ""),
					      &reply);
	return result == CLIENT_OK ? client_print(client, reply) : result;
}
