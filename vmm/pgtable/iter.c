/* SPDX-License-Identifier: MIT */
/*
 * The one walker.
 *
 *     path[4]: root     [ . . T . ]           visited first, with the snapshot `old`
 *                           |
 *     path[3]:          [ T . L . ]           then what its snapshot points to,
 *                         |                   left to right,
 *     path[2]:          [ L L . . ]           then up again and on
 *
 * Going up needs no second look at an entry: only its right neighbour is read.
 *
 * Parts: positioning; stepping; lookup.
 */
#include <errno.h>
#include <string.h>

#include "pgtable/internal.h"

bool pt_range_ok(const struct pt_format *fmt, uint64_t va, uint64_t size)
{
	uint64_t last = va + size - 1;

	if (size == 0 || page_offset(va) || page_offset(size) || last < va)
		return false;
	if (!pt_is_canonical(fmt, va) || !pt_is_canonical(fmt, last))
		return false;
	return !fmt->sign_extended || va >> 63 == last >> 63;
}

/* The one read of a live entry. */
static void snapshot(struct pt_iter *it)
{
	const struct pt_format *fmt = it->pt->fmt;
	/* The way from the root to `level` is in `path`. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	uint64_t *slot = &it->path[it->level]->entry[pt_index(fmt, it->at, it->level)];

	it->old = pte_init(__atomic_load_n(slot, __ATOMIC_ACQUIRE));
	it->va = pt_canonical(fmt, it->at & ~(pt_span(fmt, it->level) - 1));
}

void pt_iter_start_table(struct pt_iter *it, struct pt *pt, struct pt_table *table)
{
	uint64_t size = pt_span(pt->fmt, table->level) << pt->fmt->level[table->level].bits;

	*it = (struct pt_iter){.pt = pt,
	                       .valid = true,
	                       .level = table->level,
	                       .root_level = table->level,
	                       .min_level = 1,
	                       .first = table->linear,
	                       .last = table->linear + size - 1,
	                       .at = table->linear};
	it->path[table->level] = table;
	snapshot(it);
}

void pt_iter_start(struct pt_iter *it, struct pt *pt, uint64_t first, uint64_t last, int min_level)
{
	pt_iter_start_table(it, pt, pt->root);
	it->first = it->at = pt_linear(pt->fmt, first);
	it->last = pt_linear(pt->fmt, last);
	it->min_level = min_level;
	snapshot(it);
}

void pt_iter_up(struct pt_iter *it)
{
	it->level++;
	it->old = it->seen[it->level];
	it->va = pt_canonical(it->pt->fmt, pt_linear(it->pt->fmt, it->va) & ~(pt_span(it->pt->fmt, it->level) - 1));
}

static void descend(struct pt_iter *it)
{
	uint64_t start = pt_linear(it->pt->fmt, it->va);
	struct pt_table *table = it->pt->ops->find(it->pt->ctx, it->pt->fmt->address(it->old, it->level));

	BUG_ON(!table);
	it->seen[it->level] = it->old;
	it->level--;
	it->path[it->level] = table;
	it->at = start > it->first ? start : it->first;
	snapshot(it);
}

void pt_iter_next(struct pt_iter *it)
{
	const struct pt_format *fmt = it->pt->fmt;
	bool skip = it->skip;

	it->skip = false;
	if (it->again) {
		it->again = false;
		snapshot(it);
		return;
	}
	if (!skip && it->level > it->min_level && pt_is_table(fmt, it->old, it->level)) {
		descend(it);
		return;
	}
	if (pt_iter_end(it) >= it->last) {
		it->valid = false;
		return;
	}
	it->at = pt_iter_end(it) + 1;
	/* The right neighbour of the last entry of a table is its parent's right neighbour. */
	while (it->level < it->root_level && pt_index(fmt, it->at, it->level) == 0)
		it->level++;
	snapshot(it);
}

int pt_lookup(struct pt *pt, uint64_t va, struct pt_mapping *ret_mapping)
{
	const struct pt_format *fmt = pt->fmt;
	struct pt_iter it;

	if (!pt_is_canonical(fmt, va))
		return -EINVAL;
	pt_for_each (&it, pt, va, va, 1) {
		if (!fmt->is_leaf(it.old, it.level))
			continue;
		*ret_mapping = (struct pt_mapping){.entry = it.old,
		                                   .level = it.level,
		                                   .pa = fmt->address(it.old, it.level) + (va - it.va),
		                                   .attrs = fmt->get_attrs(it.old, it.level)};
		return 0;
	}
	return -ENOENT;
}
