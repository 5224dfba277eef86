/* SPDX-License-Identifier: MIT */
/* A session of a QMP server over a VM made of a few variables. Each part of test-qmp has one of its own. */
#ifndef TESTS_UNIT_QMP_SESSION_H
#define TESTS_UNIT_QMP_SESSION_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/message.h"
#include "control/qmp.h"
#include "control/stream.h"
#include "fake_vm.h"

static struct fake_vm vm;
static struct qmp_session session;
static char events[4096];

static void note_event(void *ctx, json_t *event)
{
	const json_t *time = json_object_get(event, "timestamp");

	cr_expect_gt(json_integer_value(json_object_get(time, "seconds")), 1600000000);
	cr_expect_lt(json_integer_value(json_object_get(time, "microseconds")), 1000000);
	snprintf(events + strlen(events), sizeof(events) - strlen(events), "%s ",
	         json_string_value(json_object_get(event, "event")));
	json_decref(event);
}

static const struct qmp qmp = {.ops = &fake_ops, .vm = &vm, .broadcast = note_event};

static void setup(void)
{
	vm = (struct fake_vm){.running = true, .name = "kernel.elf"};
	session.negotiated = true;
	events[0] = 0;
}

/* The reply as text, in a buffer that lives until the next call. */
static const char *ask(const char *request)
{
	static char *text;
	struct json_stream stream = {0};
	size_t len = strlen(request);
	json_t *value = NULL, *reply;

	if (stream_take(&stream, &request, &len, &value) == STREAM_MORE) { /* a number ends with what is behind it */
		request = " ";
		len = 1;
		cr_assert_eq(stream_take(&stream, &request, &len, &value), STREAM_VALUE);
	}
	cr_assert(value, "the test's own JSON: %s", stream.error);
	reply = qmp_execute(&qmp, &session, value);
	free(text);
	text = message_text(reply, stream.id);
	json_decref(reply);
	json_decref(value);
	stream_reset(&stream);
	reply = json_loads(text, 0, NULL);
	if (reply) { /* for the tests' sake without blanks; else with a number that jansson does not hold */
		free(text);
		text = json_dumps(reply, JSON_COMPACT);
	}
	json_decref(reply);
	return text;
}

#define EXPECT(request, reply) cr_expect_str_eq(ask(request), reply, "%s gave %s", request, ask(request))
#define ERR(class, desc)       "{\"error\":{\"class\":\"" class "\",\"desc\":\"" desc "\"}}"

#endif
