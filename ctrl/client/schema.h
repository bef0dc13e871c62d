/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the .proto files say, as far as a client wants to know it: the fields that KEY=VALUE
 * sets, the values of enums, the methods. Made from them at build (schema_gen.py), so a field that
 * is new there can be set, completed and looked up in the help at once.
 */
#ifndef CLIENT_SCHEMA_H
#define CLIENT_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

enum schema_type { SCHEMA_STRING, SCHEMA_NUMBER, SCHEMA_TRUTH, SCHEMA_ENUM, SCHEMA_MESSAGE };

struct schema_enum {
	const char *name;          /* "ForwardingMode" */
	const char *const *values; /* in short, "fullnat", without "unspecified"; NULL ends them */
};

struct schema_field {
	const char *json; /* NULL ends an array of fields */
	enum schema_type type;
	const char *of; /* the name of its enum or message, else NULL */
	bool list;
	bool output_only;
	const char *text; /* the comment beside it, or "" */
};

struct schema_message {
	const char *name;
	const struct schema_field *fields;
};

struct schema_method {
	const char *service; /* without the package */
	const char *method;
	const char *request; /* message */
	bool streams;        /* it answers with more than one message */
};

/* Each ends with a name of NULL. */
extern const struct schema_enum schema_enums[];
extern const struct schema_message schema_messages[];
extern const struct schema_method schema_methods[];

/* NULL when there is none of that name. */
const struct schema_enum *schema_enum(const char *name);
const struct schema_message *schema_message(const char *name);
const struct schema_method *schema_method(const char *service, const char *method);

/* backend-pool, backend_pool and backendPool are the field backendPool. */
const struct schema_field *schema_field(const struct schema_message *message, const char *key,
					size_t key_len);

/* Whether KEY=VALUE can set it: it is the operator's, and no message. */
bool schema_settable(const struct schema_field *field);

#endif
