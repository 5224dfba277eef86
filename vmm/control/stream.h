/* SPDX-License-Identifier: MIT */
/*
 * Cuts a stream of bytes into JSON values. A value ends where its last bracket or quote closes, so clients need no
 * newlines. control/dialect.c makes JSON of what was cut out, so clients may write as QEMU reads, and jansson parses
 * it. Whatever arrives, the stream stays usable: an error ends the value that caused it, and the next byte begins a new
 * one.
 *
 * Bounds are checked before anything is parsed. A value that breaks one gives one error, and the rest of it is dropped.
 * The byte 0xff, which no UTF-8 text contains, drops whatever is pending. As with QEMU, a client that does not know
 * what the last one left behind sends it first.
 */
#ifndef GNOMON_CONTROL_STREAM_H
#define GNOMON_CONTROL_STREAM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Brackets within brackets: QEMU's bound, and less than jansson's own 2048. */
#define STREAM_MAX_DEPTH 1024
/*
 * Bytes of one value that a server takes. A parsed value can take a hundred times its text, as "{},{},..." does;
 * commands are small.
 */
#define STREAM_MAX_BYTES (256u << 10)

#define STREAM_ERROR_SIZE 200

enum stream_state {
	STREAM_BETWEEN, /* no value begun */
	STREAM_INSIDE,  /* within brackets */
	STREAM_STRING,
	STREAM_ESCAPE, /* behind a backslash in a string */
	STREAM_SCALAR, /* a number or word outside brackets: ends before the next byte that cannot be part of it */
};

struct json_stream {
	enum stream_state state;
	char quote; /* that ends the string */
	uint64_t depth;
	uint8_t is_object[STREAM_MAX_DEPTH / 8]; /* by depth: closes with a brace */
	bool dropping;                           /* a bound was broken: take no more bytes of this value */
	size_t max_bytes;                        /* of one value; 0: STREAM_MAX_BYTES */
	char *text;
	size_t len, room;
	char *id; /* of the last value, an object: its member "id" as JSON text; else NULL. Until the next is taken */
	char error[STREAM_ERROR_SIZE];
};

enum stream_result {
	STREAM_MORE,  /* all bytes are taken, no value is complete */
	STREAM_VALUE, /* *ret_value is the caller's to release */
	STREAM_ERROR, /* `error` of the stream says why, in ASCII; a broken value is gone */
};

/* Frees what is pending and makes the stream empty again. A zeroed struct is an empty stream. */
void stream_reset(struct json_stream *s);

/* Takes bytes from *data, of which there are *len, up to the end of the next value or error. Call until STREAM_MORE. */
enum stream_result stream_take(struct json_stream *s, const char **data, size_t *len, json_t **ret_value);

#endif
