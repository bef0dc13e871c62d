/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/apply_job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The text members of a request, owned by the job. */
static const char **text_of(struct apply_request *request, size_t i)
{
	const char **all[] = {&request->pool,      &request->name,     &request->etag,
			      &request->mask,      &request->author,   &request->source,
			      &request->method,    &request->resource, &request->comment,
			      &request->request_id};

	return i < sizeof(all) / sizeof(all[0]) ? all[i] : NULL;
}

static int no_memory(struct problem *why)
{
	return problem_set(why, PROBLEM_RESOURCE_EXHAUSTED, "out of memory");
}

/* Every text is a copy afterwards, or NULL. */
static int copy_texts(struct job *job, struct problem *why)
{
	const char **text;
	int rc = 0;

	for (size_t i = 0; (text = text_of(&job->request, i)); i++) {
		if (!*text)
			continue;
		job->size += strlen(*text);
		*text = strdup(*text);
		if (!*text)
			rc = no_memory(why);
	}
	return rc;
}

static int pack(struct job *job, const ProtobufCMessage *message, size_t room, struct problem *why)
{
	job->packed_len = protobuf_c_message_get_packed_size(message);
	job->size += job->packed_len;
	if (job->size > room)
		return problem_set(why, PROBLEM_RESOURCE_EXHAUSTED,
				   "%zu bytes are more than the queue of changes has room for",
				   job->size);
	job->type = message->descriptor;
	job->packed = malloc(job->packed_len + 1); /* an empty message is not a NULL */
	if (!job->packed)
		return no_memory(why);
	protobuf_c_message_pack(message, job->packed);
	return 0;
}

struct job *job_new(const struct apply_request *request, size_t room, struct problem *why)
{
	struct job *job = calloc(1, sizeof(*job));
	int rc;

	if (!job) {
		no_memory(why);
		return NULL;
	}
	job->request = *request;
	job->request.message = NULL;
	job->size = sizeof(*job);
	rc = copy_texts(job, why);
	if (!rc && request->message)
		rc = pack(job, request->message, room, why);
	if (!rc)
		return job;
	job_free(job);
	return NULL;
}

static void close_message(struct job *job)
{
	if (job->request.message)
		protobuf_c_message_free_unpacked((ProtobufCMessage *)job->request.message, NULL);
	job->request.message = NULL;
	free(job->packed);
	job->packed = NULL;
}

/* All as it was: the store's revisions are read back by the thread that writes them. */
static int resolve_rollback(struct job *job, struct model *model, struct store *store,
			    struct problem *why)
{
	struct past past;
	int rc = past_read(store_database(store), job->request.revision, &past, why);

	if (!rc)
		rc = change_resolve_past(&job->changes, model, &past, job->request.etag, why);
	past_free(&past);
	return rc;
}

static bool can_repeat(const struct apply_request *request)
{
	return request->request_id && *request->request_id && !request->validate_only;
}

int job_resolve(struct job *job, struct model *model, struct store *store, struct problem *why)
{
	int rc = 0;

	if (can_repeat(&job->request))
		rc = store_find_request(store, job->request.request_id, job->request.request_digest,
					&job->response, &job->response_len, why);
	if (rc) {
		job->repeated = rc > 0;
		return rc > 0 ? 0 : rc;
	}
	if (job->request.op == APPLY_ROLLBACK)
		return resolve_rollback(job, model, store, why);
	if (job->packed) {
		job->request.message =
			protobuf_c_message_unpack(job->type, NULL, job->packed_len, job->packed);
		if (!job->request.message)
			return no_memory(why);
	}
	rc = change_resolve(&job->changes, model, &job->request, why);
	close_message(job);
	return rc;
}

void job_free(struct job *job)
{
	const char **text;

	for (size_t i = 0; (text = text_of(&job->request, i)); i++)
		free((char *)*text);
	close_message(job);
	change_free(&job->changes);
	free(job->response);
	free(job);
}
