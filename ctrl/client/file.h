/* SPDX-License-Identifier: BSD-3-Clause */
/* The file of -f: its value, and which of its lines a refusal is about. */
#ifndef CLIENT_FILE_H
#define CLIENT_FILE_H

#include "ctrl/client/rpc.h"
#include "ctrl/client/yaml_in.h"

struct file {
	const char *path; /* NULL: there is none */
	json_t *value;    /* an object */
	struct yaml_place places;
};

/* CLIENT_OK, or a usage error that is on standard error. */
int file_load(struct file *file, const char *path);
void file_free(struct file *file);

/* rpc_complain; "FILE:LINE" first when the message is about a value of the file. */
int file_complain(const struct file *file, int exit_code, const struct rpc_failure *why);

#endif
