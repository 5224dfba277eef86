/* SPDX-License-Identifier: MIT */
/* What arguments a command takes, as data, and one function that checks a client's arguments against it. */
#ifndef GNOMON_CONTROL_SCHEMA_H
#define GNOMON_CONTROL_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>

#include "base/log.h"
#include "control/error.h"

enum arg_type {
	ARG_END, /* ends a list of arguments */
	ARG_INTEGER,
	ARG_BOOLEAN,
	ARG_STRING,
	ARG_ENUM,    /* a string that is one of `values` */
	ARG_STRINGS, /* an array of strings; with `values`, each is one of them */
	ARG_OBJECTS, /* an array of objects with `members` */
};

#define ARG_ELEMENTS 512 /* of an array at most */

struct arg_schema {
	const char *name;
	enum arg_type type;
	bool required;
	const char *const *values; /* NULL-terminated */
	const struct arg_schema *members;
};

/*
 * `arguments` is an object, or NULL for none. `schema` may be NULL: the command takes none. The check first reports
 * what is missing, of a wrong type or not among the values, in the schema's order, then what is unexpected. Order and
 * words are QEMU's. -EINVAL with *err.
 */
int must_check schema_check(const struct arg_schema *schema, json_t *arguments, struct control_error *err);

/* "integer", "string", ...: for help. */
const char *schema_type_name(enum arg_type type);

#endif
