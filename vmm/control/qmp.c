/* SPDX-License-Identifier: MIT */
#include "control/qmp.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "control/message.h"

static const char *const capabilities[] = {NULL};
static const struct arg_schema capabilities_args[] = {
    {.name = "enable", .type = ARG_STRINGS, .values = capabilities},
    {0},
};

/* The members of a request: each known, once (the parser saw to that), of the right type. */
static int check_shape(json_t *request, struct control_error *err)
{
	json_t *value;
	const char *key;

	if (!json_is_object(request))
		return control_fail(err, EINVAL, "QMP input must be a JSON object");
	json_object_foreach (request, key, value) {
		if (strcmp(key, "execute") == 0 && !json_is_string(value))
			return control_fail(err, EINVAL, "QMP input member 'execute' must be a string");
		if (strcmp(key, "arguments") == 0 && !json_is_object(value))
			return control_fail(err, EINVAL, "QMP input member 'arguments' must be an object");
		if (strcmp(key, "execute") != 0 && strcmp(key, "arguments") != 0 && strcmp(key, "id") != 0)
			return control_fail(err, EINVAL, "QMP input member '%s' is unexpected", key);
	}
	if (!json_object_get(request, "execute"))
		return control_fail(err, EINVAL, "QMP input lacks member 'execute'");
	return 0;
}

static bool is_named(const json_t *name, const char *command)
{
	/* A name may hold NULs, which no command does. */
	return json_string_length(name) == strlen(command) && strcmp(json_string_value(name), command) == 0;
}

static json_t *negotiate(struct qmp_session *session, json_t *args, struct control_error *err)
{
	if (session->negotiated) {
		control_fail_class(err, ERROR_NO_COMMAND, EALREADY,
		                   "Capabilities negotiation is already complete, command ignored");
		return NULL;
	}
	if (schema_check(capabilities_args, args, err) < 0)
		return NULL;
	session->negotiated = true;
	return json_object();
}

static json_t *dispatch(const struct qmp *q, struct qmp_session *session, json_t *request, struct control_error *err)
{
	const json_t *name = json_object_get(request, "execute");
	json_t *args = json_object_get(request, "arguments");
	struct qmp mine = *q;

	mine.session = session;
	if (is_named(name, "qmp_capabilities"))
		return negotiate(session, args, err);
	if (!session->negotiated) {
		control_fail_class(err, ERROR_NO_COMMAND, EPROTO,
		                   "Expecting capabilities negotiation with 'qmp_capabilities'");
		return NULL;
	}
	for (const struct qmp_command *c = qmp_commands; c->name; c++)
		if (is_named(name, c->name))
			return schema_check(c->args, args, err) < 0 ? NULL : c->handle(&mine, args, err);
	control_fail_class(err, ERROR_NO_COMMAND, ENOENT, "The command %s has not been found", json_string_value(name));
	return NULL;
}

json_t *qmp_execute(const struct qmp *q, struct qmp_session *session, json_t *request)
{
	struct control_error err = {.class = NULL};
	json_t *value = NULL;

	if (check_shape(request, &err) == 0)
		value = dispatch(q, session, request, &err);
	if (!value && !err.class)
		control_fail(&err, ENOMEM, "out of memory");
	return value ? message_return(value) : message_error(&err);
}

void qmp_take_fd(struct qmp_session *session, int fd)
{
	if (session->has_fd)
		close(session->fd);
	session->fd = fd;
	session->has_fd = true;
}

void qmp_session_end(struct qmp_session *session)
{
	if (session->has_fd)
		close(session->fd);
	if (session->has_store)
		close(session->store);
	session->has_fd = session->has_store = false;
}

json_t *qmp_reply_malformed(const char *why)
{
	struct control_error err;

	control_fail(&err, EINVAL, "%s", why);
	return message_error(&err);
}
