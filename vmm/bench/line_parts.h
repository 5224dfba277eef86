/* SPDX-License-Identifier: MIT */
/* The words of a line that a guest printed, for the files that read such lines. */
#ifndef GNOMON_BENCH_LINE_PARTS_H
#define GNOMON_BENCH_LINE_PARTS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LINE_DIGITS   20 /* of a number that the guest pads with zeroes */
#define LINE_MAX_REFS 99 /* references; no walk makes more */

/* What is left of it. */
struct line_cursor {
	const char *p, *end;
};

/* Steps over `word`; false when something else stands there. */
static inline bool line_skip(struct line_cursor *c, const char *word)
{
	const size_t len = strlen(word);

	if ((size_t)(c->end - c->p) < len || memcmp(c->p, word, len) != 0)
		return false;
	c->p += len;
	return true;
}

/* A decimal number; above 2^63 - 1 it is 2^64 - 1. How many digits it has, 0: there is none. */
static inline size_t line_number(struct line_cursor *c, uint64_t *ret_value)
{
	const char *const start = c->p;
	bool too_large = false;
	int64_t v = 0;

	for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++) {
		too_large |= __builtin_mul_overflow(v, 10, &v);
		too_large |= __builtin_add_overflow(v, *c->p - '0', &v);
	}
	*ret_value = too_large ? UINT64_MAX : (uint64_t)v;
	return c->p - start;
}

/* `key` and a number of LINE_DIGITS digits. */
static inline bool line_field(struct line_cursor *c, const char *key, uint64_t *ret_value)
{
	return line_skip(c, key) && line_number(c, ret_value) == LINE_DIGITS;
}

#endif
