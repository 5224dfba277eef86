/* SPDX-License-Identifier: MIT */
/* All that can be reached in tables that belong to somebody else (path.h), entry by entry. */
#ifndef GNOMON_PGTABLE_VISIT_H
#define GNOMON_PGTABLE_VISIT_H

#include "pgtable/path.h"

/* What others made may be linked in circles: so the number of tables is limited. */
struct pt_visit {
	struct pt_source source;
	/* Each present entry: a table's before those below it, in the order of addresses. `va` is canonical. */
	void (*entry)(void *ctx, const struct pt_step *step, uint64_t va);
	void *ctx;
	uint64_t first, last; /* only what maps a part of this, sign extension off; 0 and UINT64_MAX: everything */
	unsigned tables_left; /* so many are visited; counts down */
	bool cut;             /* no more tables are visited: there were too many, or `entry` said so */
};

void pt_visit_foreign(struct pt_visit *v);

#endif
