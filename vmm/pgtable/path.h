/* SPDX-License-Identifier: MIT */
/* The way of one address through tables of any format that belong to somebody else, who gives their entries one by one. */
#ifndef GNOMON_PGTABLE_PATH_H
#define GNOMON_PGTABLE_PATH_H

#include "pgtable/format.h"

struct pt_source {
	const struct pt_format *fmt;
	uint64_t root; /* address of the root table */
	/* The entry at an address. False: no table can lie there. */
	bool (*entry)(void *ctx, uint64_t at, pte_t *ret_entry);
	void *ctx;
};

struct pt_step {
	int level;
	uint64_t at; /* where the entry stands */
	pte_t entry;
};

struct pt_path {
	int nr;
	struct pt_step step[PT_LEVELS_MAX]; /* from the root on */
	bool mapped;                        /* the last entry is a leaf */
	bool outside;                       /* the next table lies where none can lie */
	uint64_t to;                        /* mapped: where the byte lies; outside: where the table should be */
};

/* Follows `va`, whose sign extension is not looked at. Reads each entry once, and as many as there are levels at most. */
void pt_path_foreign(const struct pt_source *s, uint64_t va, struct pt_path *ret_path);

#endif
