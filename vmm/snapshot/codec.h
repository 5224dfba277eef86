/* SPDX-License-Identifier: MIT */
/*
 * Fields of a snapshot in their order: one description of a struct serves to write and to read it. Numbers are
 * little-endian, as they are in memory here. Behind the end, or at a value that cannot be, `failed` is set and stays so,
 * and what is read is 0.
 */
#ifndef GNOMON_SNAPSHOT_CODEC_H
#define GNOMON_SNAPSHOT_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct codec {
	uint8_t *at, *end;
	bool writing, failed;
};

static inline void codec_bytes(struct codec *c, void *value, size_t n)
{
	if (c->failed || n > (size_t)(c->end - c->at)) {
		c->failed = true;
		if (!c->writing)
			memset(value, 0, n);
		return;
	}
	if (c->writing)
		memcpy(c->at, value, n);
	else
		memcpy(value, c->at, n);
	c->at += n;
}

static inline void codec_u8(struct codec *c, uint8_t *value)
{
	codec_bytes(c, value, sizeof(*value));
}

static inline void codec_u16(struct codec *c, uint16_t *value)
{
	codec_bytes(c, value, sizeof(*value));
}

static inline void codec_u32(struct codec *c, uint32_t *value)
{
	codec_bytes(c, value, sizeof(*value));
}

static inline void codec_u64(struct codec *c, uint64_t *value)
{
	codec_bytes(c, value, sizeof(*value));
}

static inline void codec_bool(struct codec *c, bool *value)
{
	uint8_t byte = *value;

	codec_u8(c, &byte);
	c->failed |= byte > 1;
	*value = byte == 1;
}

/* A number that stands there and no other: a part's mark. */
static inline void codec_mark(struct codec *c, uint32_t mark)
{
	uint32_t v = mark;

	codec_u32(c, &v);
	c->failed |= v != mark;
}

#endif
