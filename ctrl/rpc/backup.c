/* SPDX-License-Identifier: BSD-3-Clause */
/* Backups of the store, out and in. What becomes of them is in config.c, with the other ways to
 * apply. */
#include "ctrl/history.h"
#include "ctrl/image.h"
#include "ctrl/rpc/revision.h"
#include "ctrl/rpc/services.h"
#include "ctrl/upload.h"

static ProtobufCMessage *read_image(struct rpc_call *call, struct revision_read *read)
{
	const Sluice__V1__BackupConfigRequest *request = (const void *)rpc_call_request(call);
	Sluice__V1__BackupConfigResponse *response =
		rpc_message(call, &sluice__v1__backup_config_response__descriptor);

	if (!response || image_make(read->db, request->include_history, &read->image,
				    &response->database.len, &response->revision, &read->why))
		return NULL;
	response->database.data = read->image;
	return &response->base;
}

void config_backup(struct rpc_call *call)
{
	rpc_call_about(call, "config");
	revision_run(call, read_image);
}

static ProtobufCMessage *write_upload(struct rpc_call *call, struct revision_read *read)
{
	const Sluice__V1__UploadBackupRequest *request = (const void *)rpc_call_request(call);
	struct upload *upload = history_upload(rpc_call_ctrl(call)->history);
	Sluice__V1__UploadBackupResponse *response =
		rpc_message(call, &sluice__v1__upload_backup_response__descriptor);

	if (!response)
		return NULL;
	response->size = upload_put(upload, request->upload_id, request->offset, request->data.data,
				    request->data.len, &read->why);
	response->upload_id = rpc_format(call, "%s", upload_id(upload));
	return response->size && response->upload_id ? &response->base : NULL;
}

void config_upload(struct rpc_call *call)
{
	rpc_call_about(call, "config");
	revision_run(call, write_upload);
}
