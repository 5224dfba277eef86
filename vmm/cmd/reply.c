/* SPDX-License-Identifier: MIT */
#include "cmd/reply.h"

#include <stdio.h>

#include "base/plain.h"

struct reply_text reply_text(const json_t *object, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));
	struct reply_text t;

	snprintf(t.text, sizeof(t.text), "%s", value ? value : "-");
	plain_string(t.text);
	return t;
}

long long reply_number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}
