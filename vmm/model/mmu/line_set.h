/* SPDX-License-Identifier: MIT */
/* A set of numbers that grows: the lines of tables that walks have read. */
#ifndef GNOMON_MODEL_MMU_LINE_SET_H
#define GNOMON_MODEL_MMU_LINE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero: empty. */
struct line_set {
	uint64_t *slot; /* number + 1; 0: free */
	size_t slots, nr;
	bool failed; /* there was no memory for one; `nr` is too small */
};

void line_set_add(struct line_set *s, uint64_t number);
void line_set_free(struct line_set *s);

#endif
