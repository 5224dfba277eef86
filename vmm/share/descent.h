/* SPDX-License-Identifier: MIT */
/*
 * Finds the pages in which two trees (share/tree.h) differ: compares the roots, and below each pair of nodes that differ
 * their children.
 *
 *            A         B
 *   4        o   !=    o            1 comparison
 *   3      o o o     o o o        512 at most
 *   2     ooo       ooo           512 below each pair that differs
 *   1     ooo       ooo           and so on
 *   0     ooo       ooo           pages
 *
 * Nodes past the end of both memories are not looked at. So with k pages that differ these are at most k * 4 * 512
 * comparisons, however large the guests are below 256 TiB, and 1 more only there; 1 where none differs. No more hashes of
 * either tree are asked for.
 */
#ifndef GNOMON_SHARE_DESCENT_H
#define GNOMON_SHARE_DESCENT_H

#include "share/tree.h"

/* One of the two: gives `count` hashes of a level, from `first` on. -errno ends the descent. `ctx` comes first. */
struct descent_side {
	int (*hashes)(void *ctx, int level, uint64_t first, unsigned count, struct share_digest *ret);
	void *ctx;
	uint64_t pages; /* 1 or more: all behind them are absent */
};

struct descent_result {
	uint64_t comparisons;
	uint64_t hashes; /* asked of each side */
	uint64_t pages;  /* that differ */
	uint64_t ranges; /* of such pages in a row */
};

/* Told of each range of pages that differ, in ascending order. */
typedef void (*descent_fn)(void *ctx, uint64_t page, uint64_t pages);

/* 0, whether they differ or not; or what a side returned. `differ` may be NULL. */
int must_check descent_run(const struct descent_side *a, const struct descent_side *b, descent_fn differ, void *ctx,
                           struct descent_result *ret_result);

#endif
