/* SPDX-License-Identifier: MIT */
/* The way of one walk through x86's tables as they stand: where it reads entries, and where it ends. Pure. */
#ifndef GNOMON_MODEL_WALK_STEPS_H
#define GNOMON_MODEL_WALK_STEPS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/walk.h"

struct walk_tables {
	uint64_t root; /* address of the table that CR3 names */
	int levels;    /* 4 or 5 */
	/* The entry at this address; false: there is no memory. */
	bool (*entry)(void *ctx, uint64_t at, uint64_t *ret_entry);
	void *ctx;
};

struct walk_steps {
	int nr;                       /* entries read */
	uint64_t at[WALK_MAX_LEVELS]; /* where, from the root on */
	int level;                    /* of the leaf: 1 is 4 KiB */
	uint64_t data;                /* where the byte lies */
};

/* False: the page is not mapped. *ret_steps is undefined then. */
bool walk_steps(const struct walk_tables *tables, uint64_t va, struct walk_steps *ret_steps);

#endif
