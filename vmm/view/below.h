/* SPDX-License-Identifier: MIT */
/*
 * What guest physical memory lies on, piece by piece: the leaves of a second stage and its holes, or what a file holds.
 * With it a tree of the guest's is shown in both dimensions.
 */
#ifndef GNOMON_VIEW_BELOW_H
#define GNOMON_VIEW_BELOW_H

#include <jansson.h>
#include <stdint.h>

#include "pgtable/path.h"

struct view_below {
	/* What `gpa` lies on, a word that is a constant, and the first address behind it that may lie on something else. */
	const char *(*piece)(void *ctx, uint64_t gpa, uint64_t *ret_end);
	void *ctx;
	unsigned pieces_left; /* so many are looked at; counts down */
};

/*
 * Bytes of [gpa, gpa + bytes) by what they lie on: {"2m": 2093056, "hole": 4096}. NULL: there were no pieces left to
 * look at all of it.
 */
json_t *view_below(struct view_below *b, uint64_t gpa, uint64_t bytes);

/* For the tables of a second stage, a struct pt_source *ctx: "4k", "2m", "1g" and "hole". */
const char *view_below_piece(void *ctx, uint64_t gpa, uint64_t *ret_end);

#endif
