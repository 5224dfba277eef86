/* SPDX-License-Identifier: MIT */
/*
 * Any bytes from a client, cut anywhere: the stream and the protocol behind it take them, answer each value with one
 * reply of QMP's shape, and are as good as new afterwards. How the bytes are cut changes nothing: the replies are
 * the same when each byte comes alone.
 *
 * Input: a byte that says how long each piece is, then the client's bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "../unit/fake_vm.h"
#include "control/message.h"
#include "control/qmp.h"
#include "control/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define VALUE_BYTES 2048 /* the bound of one value: less than libFuzzer's inputs have here */

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void swallow(void *ctx, json_t *event)
{
	json_decref(event);
}

struct client {
	struct fake_vm vm;
	struct qmp qmp;
	struct qmp_session session;
	struct json_stream stream;
	uint64_t replies; /* a hash of all of them */
	unsigned count;
};

static void hash(struct client *c, const char *text)
{
	for (; *text; text++)
		c->replies = (c->replies ^ (uint8_t)*text) * 0x100000001b3;
	c->count++;
}

/* As a client would read it; an id may hold a number that jansson does not. */
static bool is_json(const char *text)
{
	json_error_t error;
	json_t *value = json_loads(text, JSON_ALLOW_NUL, &error);
	const bool is = value || json_error_code(&error) == json_error_numeric_overflow;

	json_decref(value);
	return is;
}

static void check_reply(struct client *c, json_t *reply, const char *id)
{
	char *text = message_text(reply, id);
	const json_t *error = json_object_get(reply, "error");

	require(text && strchr(text, '\n') == text + strlen(text) - 1);
	require(is_json(text));
	require((json_object_get(reply, "return") != NULL) != (error != NULL));
	require(!error ||
	        (json_is_string(json_object_get(error, "class")) && json_is_string(json_object_get(error, "desc"))));
	hash(c, text);
	free(text);
	json_decref(reply);
}

static void feed(struct client *c, const char *data, size_t len)
{
	for (;;) {
		json_t *value;
		enum stream_result r = stream_take(&c->stream, &data, &len, &value);

		if (r == STREAM_MORE)
			break;
		if (r == STREAM_ERROR) {
			check_reply(c, qmp_reply_malformed(c->stream.error), NULL);
			continue;
		}
		check_reply(c, qmp_execute(&c->qmp, &c->session, value), c->stream.id);
		json_decref(value);
	}
	require(len == 0);
}

static uint64_t run(const char *data, size_t size, size_t piece)
{
	struct client c = {.vm = {.running = true, .name = "fuzz", .has_balloon = true},
	                   .session.negotiated = true,
	                   .stream.max_bytes = VALUE_BYTES};
	unsigned before;

	c.qmp = (struct qmp){.ops = &fake_ops, .vm = &c.vm, .broadcast = swallow};
	for (size_t at = 0; at < size; at += piece)
		feed(&c, data + at, size - at < piece ? size - at : piece);
	feed(&c, "\xff", 1);
	before = c.count;
	feed(&c, "{\"execute\":\"query-name\"}", 24);
	require(c.count == before + 1);
	stream_reset(&c.stream);
	return c.replies;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	/* dump-tables of the fake VM is long; a fuzzer would call it all day. */
	if (memmem(data, size, "dump", 4))
		return 0;
	require(run((const char *)data + 1, size - 1, data[0] + 1) == run((const char *)data + 1, size - 1, 1));
	return 0;
}
