/* SPDX-License-Identifier: MIT */
/*
 * A set of numbers that grows: the lines of tables that walks have read. They lie close to each other, so a slot has 64 in
 * a row: the set of a large table is small enough for a cache.
 */
#ifndef GNOMON_MODEL_MMU_LINE_SET_H
#define GNOMON_MODEL_MMU_LINE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct line_block {
	uint64_t block; /* number / 64 */
	uint64_t lines; /* bit n: 64 * block + n is in; none: the slot is free */
};

/* All zero: empty. */
struct line_set {
	struct line_block *slot;
	size_t slots, blocks, nr; /* nr: numbers */
	bool failed;              /* there was no memory for one; `nr` is too small */
};

void line_set_add(struct line_set *s, uint64_t number);
void line_set_free(struct line_set *s);

#endif
