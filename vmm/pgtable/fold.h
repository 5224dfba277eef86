/* SPDX-License-Identifier: MIT */
/* Tables of others as a tree of nodes for people: neighbours in a table that are alike are one node. */
#ifndef GNOMON_PGTABLE_FOLD_H
#define GNOMON_PGTABLE_FOLD_H

#include "pgtable/visit.h"

/* One entry that leads to a table, or leaves side by side with the same flags, whose pages follow each other. */
struct pt_node {
	struct pt_step step;  /* the first entry */
	unsigned index, nr;   /* of the first one in its table; how many */
	uint64_t first, last; /* canonical addresses */
	uint64_t to;          /* where the first one leads */
	bool leaf;
};

struct pt_fold {
	/* In the order of pt_visit_foreign(). False: enough. */
	bool (*node)(void *ctx, const struct pt_fold *f, const struct pt_node *node);
	void *ctx;
	struct pt_visit
	    visit; /* its source, range and tables_left are the caller's; `cut` says that something was left out */
	struct pt_node run; /* that may go on; nr 0: none */
};

void pt_fold_foreign(struct pt_fold *f);

#endif
