/* SPDX-License-Identifier: MIT */
/* A dump of tables that belong to somebody else, who gives their entries one by one. For a tree of ours: pt_dump. */
#ifndef GNOMON_PGTABLE_DUMP_H
#define GNOMON_PGTABLE_DUMP_H

#include "pgtable/format.h"

/* What others made may be linked in circles: so the number of tables is limited. */
struct pt_foreign {
	const struct pt_format *fmt;
	/* The entry at an address. False: no table can lie there. */
	bool (*entry)(void *ctx, uint64_t at, pte_t *ret_entry);
	void (*emit)(void *ctx, const char *line);
	void *ctx;
	unsigned tables_left; /* so many are visited; counts down */
	bool cut;             /* no more tables are visited: there were too many, or `emit` said so */
};

/*
 * A line per run of like, contiguous pages below the table at `root`, as pt_dump has them, but of the attributes only
 * R, W, X, U, A, D and G. Rights of the tables above are not taken into account: each line is what its leaves say.
 */
void pt_dump_foreign(struct pt_foreign *f, uint64_t root);

#define PT_FLAGS_MAX 9

struct pt_flag {
	const char *name; /* "P", "W", "NX", ... */
	bool set;
};

/*
 * What an entry at this level says, bit by bit, in an order that is the same for all entries of a format: P R W U X A D
 * PS G, of which a format that always grants R does not tell it, and one whose bit denies X tells NX. Returns how many.
 * Of an entry that is not present, no other is set.
 */
int pt_entry_flags(const struct pt_format *fmt, pte_t e, int level, struct pt_flag ret_flags[PT_FLAGS_MAX]);

#endif
