/* SPDX-License-Identifier: BSD-3-Clause */
/* The API's own description, for reflection: made from the .proto files by descriptors_gen.py. */
#ifndef CTRL_RPC_DESCRIPTORS_H
#define CTRL_RPC_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>

struct descriptor_file {
	const char *name;     /* "sluice/v1/route.proto" */
	const uint8_t *bytes; /* a google.protobuf.FileDescriptorProto */
	size_t len;
	const uint16_t *needs; /* this file and all that it imports: places in the table */
	size_t n_needs;
};

/* A message, enum, service, method or field, and the file it is in. */
struct descriptor_symbol {
	const char *name; /* "sluice.v1.Route" */
	uint16_t file;
};

extern const struct descriptor_file descriptor_files[];
extern const size_t descriptor_n_files;
extern const struct descriptor_symbol descriptor_symbols[]; /* sorted */
extern const size_t descriptor_n_symbols;
extern const char *const descriptor_services[];
extern const size_t descriptor_n_services;

#endif
