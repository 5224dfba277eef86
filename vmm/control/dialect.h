/* SPDX-License-Identifier: MIT */
/*
 * Makes JSON as QEMU reads it into JSON that jansson reads:
 *   'text'           "text"; a quote in it is escaped
 *   \' in any string '
 *   big numbers      beyond a 64-bit integer they become a real, beyond that the largest real
 * Everything else stays as it is, right or wrong: jansson decides.
 */
#ifndef GNOMON_CONTROL_DIALECT_H
#define GNOMON_CONTROL_DIALECT_H

#include <stddef.h>

#include "base/log.h"

struct dialect {
	char *json; /* the caller's to free, as is the next */
	size_t len;
	char *id; /* of an object, the text of its member "id", with numbers as they came; NULL: none */
};

/* `text` is one value as struct json_stream cuts it, so its strings end. -ENOMEM. */
int must_check dialect_to_json(const char *text, size_t len, struct dialect *ret);

#endif
