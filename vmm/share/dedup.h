/* SPDX-License-Identifier: MIT */
/*
 * Finds the subtrees that several guests' trees (share/tree.h) have in common, and plans what to do about them.
 *
 *            A         B         C
 *   4        o   !=    o   ==    o            A's children are asked for, and B's for B and C
 *   3      o o o     o o o        "
 *   2     ooo       ooo           "           a node that all of those that have it agree on: one piece, nobody goes below
 *   1     ooo       ooo           "
 *   0     ooo       ooo           "           pages: a piece each
 *
 * Hashes are asked for only below nodes at which the guests differ. All pieces with one hash are a group, wherever they
 * lie and whosever they are: the tree's hashes have no address. Zero and absent subtrees are known beforehand.
 *
 * The first of a group gives it, to the store of its guest, and all take it. Groups follow each other in the store as they
 * do in memory, so that what lies in a row becomes one range.
 *
 * Nothing a guest says has to be true: it decides what is compared, and merging compares bytes (share/merge.h).
 */
#ifndef GNOMON_SHARE_DEDUP_H
#define GNOMON_SHARE_DEDUP_H

#include <stddef.h>

#include "share/descent.h"

#define DEDUP_GUESTS 64
#define DEDUP_PIECES (1u << 24) /* at most: a guest that makes its hashes up shall not cost more */

/* A subtree. */
struct dedup_piece {
	struct share_digest digest;
	uint64_t page, pages; /* the first; how many, up to the end of the guest's memory */
	uint16_t guest;
	uint8_t level;
};

struct dedup_pieces {
	struct dedup_piece *piece;
	size_t nr;
	struct dedup_piece *zero; /* likewise, in rows: pages that are all zero or not touched */
	size_t nr_zero;
	uint64_t hashes;      /* asked for */
	uint64_t comparisons; /* of a hash with another guest's */
	int failed;           /* the guest whose side failed; -1: none */
};

/*
 * `n` guests, 1 to DEDUP_GUESTS. `level` is the lowest that is looked at: 0, or 1 where memory goes in pages of 2 MiB.
 * dedup_pieces_free() in any case. -ENOMEM, -E2BIG, or what a side returned.
 */
int must_check dedup_find(const struct descent_side *guest, unsigned n, const struct share_hash *hash, int level,
                          struct dedup_pieces *ret);
void dedup_pieces_free(struct dedup_pieces *p);

/*
 * Leaves out what had another hash in an earlier look: it is written all the time, and a store would hold what nobody takes.
 * Sorts `before`.
 */
void dedup_keep_stable(struct dedup_pieces *p, struct dedup_pieces *before);

/* Pages in a row of one guest, and their place in a store. */
struct dedup_range {
	uint64_t page, pages;
	uint64_t offset; /* in pages */
	uint16_t guest;
	uint16_t store; /* the guest that fills it */
};

struct dedup_plan {
	struct dedup_range *give, *take; /* by guest and store; of each take the longest ranges first */
	size_t nr_give, nr_take;
	uint64_t store_pages[DEDUP_GUESTS]; /* of each guest's store */
};

struct dedup_places;
/*
 * Sorts `p`. Pages that are there only once already are left out, by units of `level`. dedup_plan_free() in any case. -ENOMEM.
 */
int must_check dedup_plan(struct dedup_pieces *p, const struct dedup_places *places, int level, struct dedup_plan *ret);
void dedup_plan_free(struct dedup_plan *plan);

#endif
