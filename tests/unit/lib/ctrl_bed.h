/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of the control daemon's core: shared memory in the heap with ports "wan" and "lan",
 * configurations from JSON, and changes tried against a model as ctrl/transaction.c does it.
 */
#ifndef TESTS_UNIT_CTRL_BED_H
#define TESTS_UNIT_CTRL_BED_H

#include <sluice/shm.h>

#include "ctrl/apply.h"
#include "ctrl/change.h"
#include "ctrl/compile.h"
#include "ctrl/model.h"
#include "sluice/v1/config.pb-c.h"

#define BED_HALF (1u << 20) /* bytes of a snapshot */

/* Limits: 64 virtual servers, 256 backends, 16 local addresses, 2 workers. */
struct sl_root *bed_root_new(void);
void bed_root_free(struct sl_root *root);

/* A message from JSON (single quotes stand for double ones); ends the test when it is wrong. */
ProtobufCMessage *bed_json(const ProtobufCMessageDescriptor *type, const char *text);
#define BED_CONFIG(text) bed_json(&sluice__v1__config__descriptor, text)
/* Frees all messages. */
void bed_json_free(void);

/* Compile from nothing. */
int bed_compile(const struct model *model, const struct compile_target *target,
		struct problem *why);

/*
 * Try a request on the model: resolve, enter, compile to `out` (of BED_HALF, or NULL). It
 * stays when all went well, as the next revision. Returns the problem's code.
 */
enum problem_code bed_try(struct model *model, const struct apply_request *request,
			  struct sl_snapshot *out, struct problem *why);

/* The same for a whole configuration in JSON. */
enum problem_code bed_config(struct model *model, const char *json, struct sl_snapshot *out,
			     struct problem *why);

/* Remove a directory of a test with the files in it; what rmdir says. */
int bed_remove(const char *directory);

/* A configuration that is right, as the one of conf/lb.yaml. */
extern const char bed_good[];

#endif
