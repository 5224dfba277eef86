/* SPDX-License-Identifier: MIT */
/* What the files of the engine share; not for others. */
#ifndef GNOMON_PGTABLE_INTERNAL_H
#define GNOMON_PGTABLE_INTERNAL_H

#include "pgtable/pt.h"

/* Walks the tree below `table` alone; used where the table is not linked any more. */
void pt_iter_start_table(struct pt_iter *it, struct pt *pt, struct pt_table *table);

/* Goes to the entry that points to the current table. Must not be called at the root. */
void pt_iter_up(struct pt_iter *it);

/* Last address, sign extension off, that the current entry covers. */
static inline uint64_t pt_iter_end(const struct pt_iter *it)
{
	return pt_linear(it->pt->fmt, it->va) + pt_span(it->pt->fmt, it->level) - 1;
}

/* Page aligned, not empty, no wrap, canonical, within one half. */
bool pt_range_ok(const struct pt_format *fmt, uint64_t va, uint64_t size);

/* A zeroed table that pt_pool_reserve promised. Ours until a pt_set links it or pt_pool_put. */
struct pt_table *pt_pool_take(struct pt *pt);
void pt_pool_put(struct pt *pt, struct pt_table *table);

/* As pt_set, until it succeeds: for a value that does not depend on A and D of the old entry. */
void pt_replace(struct pt_iter *it, pte_t new, struct pt_gather *g);

/* As pt_set from a table to the leaf that says the same: the table's entries stay in place for CPUs still there. */
int must_check pt_set_collapsed(struct pt_iter *it, pte_t leaf, struct pt_gather *g);

/* Splits the leaf under the iterator by one level, with a table from the pool; it->old is the table entry then. */
void pt_split_entry(struct pt_iter *it, struct pt_gather *g);

#endif
