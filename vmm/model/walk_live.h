/* SPDX-License-Identifier: MIT */
/*
 * References of the walks that tables as they stand lead to: the same counts as walk.h's, but each table page and the
 * data with the leaf that the second stage really has for it.
 *
 *   2-D       for each entry on the way: a walk of the second stage to the table that holds it, and the entry itself;
 *             then a walk of the second stage to the data
 *   composed  a hypervisor makes one table of both: its leaf is the smaller one of the two
 *
 * Where a leaf's size is not known for sure the result is a range. Pure: the tables are reached through two functions.
 */
#ifndef GNOMON_MODEL_WALK_LIVE_H
#define GNOMON_MODEL_WALK_LIVE_H

#include <stdbool.h>
#include <stdint.h>

/* Levels between which the leaf behind an address lies: 1 is 4 KiB, 2 is 2 MiB, 3 is 1 GiB. */
struct walk_leaf {
	int smallest, largest;
};

/* What a CPU walks. */
struct walk_live {
	uint64_t root; /* address of the table that CR3 names */
	int levels;    /* of its tables, 4 or 5 */
	int second;    /* levels of the second stage; 0: composed */
	/* The entry at this address, in x86's format; false: there is no memory. */
	bool (*entry)(void *ctx, uint64_t at, uint64_t *ret_entry);
	/* The second stage's leaf for this address; below its root. */
	void (*leaf)(void *ctx, uint64_t at, struct walk_leaf *ret_leaf);
	void *ctx;
};

/* Of all pages that are mapped. */
struct walk_refs {
	uint64_t pages;
	unsigned low, high;         /* the fewest and the most references of one walk; 0: no page is mapped */
	uint64_t sum_low, sum_high; /* of a walk to each page */
};

/* Walks to each 4 KiB page that has a byte of [first, first + bytes), which does not wrap. */
void walk_live_count(const struct walk_live *live, uint64_t first, uint64_t bytes, struct walk_refs *ret_refs);

#endif
