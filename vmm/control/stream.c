/* SPDX-License-Identifier: MIT */
#include "control/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/dialect.h"

#define RESYNC_BYTE 0xff
#define KEPT_ROOM   4096 /* a larger buffer is given back with its value */
#define PARSE_FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL)

/* What one byte did. */
enum step {
	STEP_ON,       /* part of a value, or blank: go on */
	STEP_LAST,     /* the value's last byte */
	STEP_BEHIND,   /* the value ended before this byte */
	STEP_TOO_DEEP, /* goes on in dropping mode */
	STEP_BROKEN,   /* no value any more */
};

void stream_reset(struct json_stream *s)
{
	free(s->text);
	free(s->id);
	*s = (struct json_stream){0};
}

/* Ready for the next value; keeps a small buffer. */
static void next_value(struct json_stream *s)
{
	if (s->room > KEPT_ROOM) {
		free(s->text);
		s->text = NULL;
		s->room = 0;
	}
	s->len = 0;
	s->depth = 0;
	s->dropping = false;
	s->state = STREAM_BETWEEN;
}

static enum stream_result failed(struct json_stream *s, const char *what)
{
	snprintf(s->error, sizeof(s->error), "%s", what);
	/* jansson quotes the input, which may be anything. */
	for (char *p = s->error; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	return STREAM_ERROR;
}

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_structure(unsigned char c)
{
	return strchr("{}[]:,\"'", c) && c;
}

static enum step open_bracket(struct json_stream *s, bool object)
{
	s->state = STREAM_INSIDE;
	if (s->depth < STREAM_MAX_DEPTH) {
		const uint8_t bit = 1u << s->depth % 8;

		s->is_object[s->depth / 8] &= ~bit;
		s->is_object[s->depth / 8] |= object ? bit : 0;
	}
	s->depth++;
	return s->depth == STREAM_MAX_DEPTH + 1 && !s->dropping ? STEP_TOO_DEEP : STEP_ON;
}

static enum step close_bracket(struct json_stream *s, bool object)
{
	if (s->depth == 0)
		return STEP_BROKEN;
	s->depth--;
	/* Beyond the bound the kinds are not known; such a value is dropped anyway. */
	if (s->depth < STREAM_MAX_DEPTH && (s->is_object[s->depth / 8] >> s->depth % 8 & 1) != object)
		return STEP_BROKEN;
	return s->depth == 0 ? STEP_LAST : STEP_ON;
}

static enum step outside_string(struct json_stream *s, unsigned char c)
{
	switch (c) {
	case '{':
	case '[':
		return open_bracket(s, c == '{');
	case '}':
	case ']':
		return close_bracket(s, c == '}');
	case '"':
	case '\'':
		s->state = STREAM_STRING;
		s->quote = (char)c;
		return STEP_ON;
	case ':':
	case ',':
		return s->depth ? STEP_ON : STEP_BROKEN;
	default:
		if (!s->depth && !is_blank(c))
			s->state = STREAM_SCALAR;
		return STEP_ON;
	}
}

static enum step in_string(struct json_stream *s, unsigned char c)
{
	/* A string ends within its line: so a client that was cut off gets a fresh start with the next line. */
	if (c < ' ')
		return STEP_BROKEN;
	if (s->state == STREAM_ESCAPE)
		s->state = STREAM_STRING;
	else if (c == '\\')
		s->state = STREAM_ESCAPE;
	else if (c == (unsigned char)s->quote) {
		s->state = STREAM_INSIDE;
		return s->depth ? STEP_ON : STEP_LAST;
	}
	return STEP_ON;
}

static enum step step(struct json_stream *s, unsigned char c)
{
	if (c == RESYNC_BYTE)
		return STEP_BROKEN;
	switch (s->state) {
	case STREAM_STRING:
	case STREAM_ESCAPE:
		return in_string(s, c);
	case STREAM_SCALAR:
		return is_blank(c) || is_structure(c) ? STEP_BEHIND : STEP_ON;
	default:
		return outside_string(s, c);
	}
}

/* False when there is no memory for it. */
static bool keep(struct json_stream *s, char c)
{
	if (s->dropping || (s->state == STREAM_BETWEEN && is_blank(c)))
		return true;
	if (s->len == s->room) {
		size_t room = s->room ? 2 * s->room : 256;
		char *text = realloc(s->text, room);

		if (!text)
			return false;
		s->text = text;
		s->room = room;
	}
	s->text[s->len++] = c;
	return true;
}

/* Drops the rest of this value, of which `did` was one step; reports its error now. */
static enum stream_result drop_rest(struct json_stream *s, enum step did, const char *why)
{
	s->dropping = true;
	s->len = 0;
	if (did == STEP_LAST)
		next_value(s);
	return failed(s, why);
}

/* A value's text is complete: one result, unless it was answered when it broke its bound. */
static enum stream_result complete(struct json_stream *s, json_t **ret_value)
{
	char what[STREAM_ERROR_SIZE];
	struct dialect text;
	json_error_t error;
	json_t *value;
	int r;

	if (s->dropping) {
		next_value(s);
		return STREAM_MORE;
	}
	r = dialect_to_json(s->text, s->len, &text);
	next_value(s);
	if (r < 0)
		return failed(s, "out of memory");
	value = json_loadb(text.json, text.len, PARSE_FLAGS, &error);
	free(text.json);
	s->id = text.id;
	if (!value) {
		snprintf(what, sizeof(what), "JSON parse error, %s", error.text);
		return failed(s, what);
	}
	*ret_value = value;
	return STREAM_VALUE;
}

static enum stream_result broken(struct json_stream *s)
{
	const bool answered = s->dropping;

	next_value(s);
	return answered ? STREAM_MORE : failed(s, "JSON parse error, expecting value");
}

static enum stream_result take_byte(struct json_stream *s, char c, bool *ret_used, json_t **ret_value)
{
	enum step did = step(s, (unsigned char)c);

	*ret_used = did != STEP_BEHIND;
	if (did == STEP_BEHIND)
		return complete(s, ret_value);
	if (did == STEP_BROKEN)
		return broken(s);
	if (did == STEP_TOO_DEEP)
		return drop_rest(s, did, "JSON nesting depth limit exceeded");
	if (!keep(s, c))
		return drop_rest(s, did, "out of memory");
	if (s->len > (s->max_bytes ? s->max_bytes : STREAM_MAX_BYTES))
		return drop_rest(s, did, "JSON message size limit exceeded");
	return did == STEP_LAST ? complete(s, ret_value) : STREAM_MORE;
}

enum stream_result stream_take(struct json_stream *s, const char **data, size_t *len, json_t **ret_value)
{
	free(s->id);
	s->id = NULL;
	while (*len) {
		bool used;
		enum stream_result r = take_byte(s, **data, &used, ret_value);

		*data += used;
		*len -= used;
		if (r != STREAM_MORE)
			return r;
	}
	return STREAM_MORE;
}
