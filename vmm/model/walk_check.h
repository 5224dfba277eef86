/* SPDX-License-Identifier: MIT */
/*
 * References of a walk whose machine addresses a third stage checks, one by one, through tables that stand: the counts
 * of walk.h's 3-D, where every length is looked up and none assumed.
 *
 *   stage 1's entries    each at an address that the second stage translates, if there is one: table by table
 *   the data             the same
 *   checks               of what was translated, or of every access, the second stage's own included
 *
 * A check reads as many entries as the third stage's tree has on the way to the frame, none if the frame is in the
 * check cache. That has the `size` frames that were used last. Pure: all tables are reached through functions.
 */
#ifndef GNOMON_MODEL_WALK_CHECK_H
#define GNOMON_MODEL_WALK_CHECK_H

#include "model/walk_steps.h"

#define WALK_CACHE_MAX 256 /* frames */

enum walk_reading {
	WALK_CHECK_ONCE,  /* each of the walk's Lg + 1 machine addresses once */
	WALK_CHECK_EVERY, /* each access: those, and the second stage's entries */
	WALK_NR_READINGS
};

/* A walk of the second stage: the machine addresses of the entries that it read, and the one it led to. */
struct walk_second {
	int nr;
	uint64_t at[WALK_MAX_LEVELS];
	uint64_t maddr;
};

struct walk_check {
	struct walk_tables tables; /* stage 1 */
	enum walk_reading reading;
	/* NULL: there is no second stage, stage 1 yields machine addresses. False: the address leads nowhere. */
	bool (*second)(void *ctx, uint64_t at, struct walk_second *ret_second);
	/* The entries that a check of this machine address reads. False: it is refused. */
	bool (*check)(void *ctx, uint64_t maddr, unsigned *ret_reads);
	void *ctx;
};

/* Frames that were checked, the last one first. All zero: no cache. */
struct walk_cache {
	unsigned size; /* WALK_CACHE_MAX at most */
	unsigned used;
	uint64_t frame[WALK_CACHE_MAX];
};

/* Of all pages that are mapped, and whose checks are not refused. */
struct walk_check_refs {
	uint64_t pages;
	unsigned low, high; /* the fewest and the most references of one walk, with its checks; 0: no page is mapped */
	uint64_t sum;       /* of all walks, with their checks */
	uint64_t walked;    /* entries of stage 1 and of the second stage among them; the rest are the third stage's */
	uint64_t checks, hits; /* frames that were asked for, and those that the cache had */
};

/*
 * Walks to each 4 KiB page that has a byte of [first, first + bytes), which does not wrap. The cache goes on as the
 * walks before left it: the second sweep over the same pages is the steady state.
 */
void walk_check_count(const struct walk_check *w, struct walk_cache *cache, uint64_t first, uint64_t bytes,
                      struct walk_check_refs *ret_refs);

#endif
