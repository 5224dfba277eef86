/* SPDX-License-Identifier: MIT */
#include "control/schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	json_type json; /* JSON_TRUE stands for both booleans */
} types[] = {
    [ARG_INTEGER] = {"integer", JSON_INTEGER}, [ARG_BOOLEAN] = {"boolean", JSON_TRUE},
    [ARG_STRING] = {"string", JSON_STRING},    [ARG_ENUM] = {"string", JSON_STRING},
    [ARG_STRINGS] = {"array", JSON_ARRAY},     [ARG_OBJECTS] = {"array", JSON_ARRAY},
};

const char *schema_type_name(enum arg_type type)
{
	return types[type].name;
}

static int check_type(const char *name, const json_t *value, enum arg_type type, struct control_error *err)
{
	const json_type is = json_is_boolean(value) ? JSON_TRUE : json_typeof(value);

	if (is == types[type].json)
		return 0;
	return control_fail(err, EINVAL, "Invalid parameter type for '%s', expected: %s", name, types[type].name);
}

static bool is_among(const json_t *value, const char *const *values)
{
	for (; *values; values++)
		if (json_string_length(value) == strlen(*values) && strcmp(json_string_value(value), *values) == 0)
			return true;
	return false;
}

static int check_value(const char *name, const json_t *value, const char *const *values, struct control_error *err)
{
	if (!values || is_among(value, values))
		return 0;
	return control_fail(err, EINVAL, "Parameter '%s' does not accept value '%s'", name, json_string_value(value));
}

/* What reads it ends at the first NUL. */
static int check_text(const char *name, const json_t *value, struct control_error *err)
{
	if (strlen(json_string_value(value)) == json_string_length(value))
		return 0;
	return control_fail(err, EINVAL, "Parameter '%s' has a NUL in it", name);
}

static int check_element(const struct arg_schema *a, json_t *element, size_t index, struct control_error *err)
{
	char name[64];

	snprintf(name, sizeof(name), "%s[%zu]", a->name, index);
	if (a->type == ARG_STRINGS) {
		int r = check_type(name, element, ARG_STRING, err);

		if (r == 0)
			r = check_text(name, element, err);
		return r < 0 ? r : check_value(name, element, a->values, err);
	}
	if (!json_is_object(element))
		return control_fail(err, EINVAL, "Invalid parameter type for '%s', expected: object", name);
	return schema_check(a->members, element, err);
}

static int check_one(const struct arg_schema *a, json_t *value, struct control_error *err)
{
	int r = check_type(a->name, value, a->type, err);

	if (r < 0)
		return r;
	if (a->type == ARG_STRING)
		return check_text(a->name, value, err);
	if (a->type == ARG_ENUM)
		return check_value(a->name, value, a->values, err);
	if (a->type != ARG_STRINGS && a->type != ARG_OBJECTS)
		return 0;
	if (json_array_size(value) > ARG_ELEMENTS)
		return control_fail(err, EINVAL, "Parameter '%s' has more than %d elements", a->name, ARG_ELEMENTS);
	for (size_t i = 0; r == 0 && i < json_array_size(value); i++)
		r = check_element(a, json_array_get(value, i), i, err);
	return r;
}

static bool is_known(const struct arg_schema *schema, const char *name)
{
	for (const struct arg_schema *a = schema; a && a->type != ARG_END; a++)
		if (strcmp(a->name, name) == 0)
			return true;
	return false;
}

int schema_check(const struct arg_schema *schema, json_t *arguments, struct control_error *err)
{
	const char *name;
	json_t *value;

	for (const struct arg_schema *a = schema; a && a->type != ARG_END; a++) {
		int r;

		value = json_object_get(arguments, a->name);
		if (!value && a->required)
			return control_fail(err, EINVAL, "Parameter '%s' is missing", a->name);
		r = value ? check_one(a, value, err) : 0;
		if (r < 0)
			return r;
	}
	json_object_foreach (arguments, name, value)
		if (!is_known(schema, name))
			return control_fail(err, EINVAL, "Parameter '%s' is unexpected", name);
	return 0;
}
