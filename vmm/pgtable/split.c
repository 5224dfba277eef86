/* SPDX-License-Identifier: MIT */
/*
 * Page sizes: one leaf into a table of smaller ones, and back.
 *
 *     entry:  [ leaf 2M, A D ]  --split-->   [ table ]
 *                                               |
 *                             <-collapse--   [ 4K | 4K | 4K | ... ]  each with the same attributes, A D
 *
 * Both publish with one compare-and-swap, before and after which every page is reachable.
 *
 * Parts: split of one entry; pt_split; pt_collapse.
 */
#include <errno.h>

#include "pgtable/internal.h"

static void fill(const struct pt_iter *it, struct pt_table *table)
{
	const struct pt_format *fmt = it->pt->fmt;
	int level = it->level - 1;
	uint64_t pa = fmt->address(it->old, it->level);
	pt_attrs_t attrs = fmt->get_attrs(it->old, it->level);

	/*
	 * The table is not linked yet: no CPU knows it. A reader may, that came here through a link which went before
	 * the page was freed; if it sees these stores it sees that, too.
	 */
	for (unsigned i = 0; i < pt_nr_entries(fmt, level); i++)
		__atomic_store_n(&table->entry[i], pte_raw(fmt->make_leaf(level, pa + i * pt_span(fmt, level), attrs)),
		                 __ATOMIC_RELEASE);
}

void pt_split_entry(struct pt_iter *it, struct pt_gather *g)
{
	const struct pt_format *fmt = it->pt->fmt;
	struct pt_table *table = pt_pool_take(it->pt);

	/* Who loses the race lost it to a CPU that set A or D: take them over and try again. */
	do {
		BUG_ON(!fmt->is_leaf(it->old, it->level));
		fill(it, table);
	} while (pt_set(it, fmt->make_table(it->level, table->address), g) == -EAGAIN);
}

int pt_split(struct pt *pt, uint64_t va, int level, struct pt_gather *g)
{
	const struct pt_format *fmt = pt->fmt;
	struct pt_iter it;

	if (!pt_is_canonical(fmt, va) || level < 1 || level > fmt->levels)
		return -EINVAL;
	pt_for_each (&it, pt, va, va, 1) {
		if (!fmt->is_leaf(it.old, it.level))
			continue;
		if (it.level <= level)
			return 0;
		if (pt_pool_reserve(pt, it.level - level))
			return -ENOMEM;
		pt_split_entry(&it, g);
	}
	return -ENOENT;
}

/* The leaf that says what `table` says. -ERANGE. */
static int unite(struct pt *pt, struct pt_table *table, pte_t *ret_leaf)
{
	const struct pt_format *fmt = pt->fmt;
	uint64_t pa = 0, offset;
	pt_attrs_t attrs = 0, united = 0;
	struct pt_iter it;

	pt_iter_start_table(&it, pt, table);
	for (it.min_level = table->level; it.valid; pt_iter_next(&it)) {
		if (!fmt->is_leaf(it.old, it.level))
			return -ERANGE;
		offset = pt_linear(fmt, it.va) - table->linear;
		if (offset == 0) {
			pa = fmt->address(it.old, it.level);
			attrs = fmt->get_attrs(it.old, it.level);
		}
		if (fmt->address(it.old, it.level) != pa + offset ||
		    ((fmt->get_attrs(it.old, it.level) ^ attrs) & ~PT_AD))
			return -ERANGE;
		united |= fmt->get_attrs(it.old, it.level);
	}
	if (pa & (pt_span(fmt, table->level + 1) - 1))
		return -ERANGE;
	*ret_leaf = fmt->make_leaf(table->level + 1, pa, united);
	return 0;
}

int pt_collapse(struct pt *pt, uint64_t va, int level, struct pt_gather *g)
{
	const struct pt_format *fmt = pt->fmt;
	struct pt_iter it;
	pte_t leaf;

	if (!pt_is_canonical(fmt, va) || level < 2 || level > fmt->levels || !fmt->level[level].leaf)
		return -EINVAL;
	pt_for_each (&it, pt, va, va, level) {
		if (it.level > level)
			continue;
		if (!pt_is_table(fmt, it.old, level))
			break;
		if (unite(pt, pt->ops->find(pt->ctx, fmt->address(it.old, level)), &leaf))
			return -ERANGE;
		while (pt_set_collapsed(&it, leaf, g) == -EAGAIN)
			continue;
		return 0;
	}
	return -ENOENT;
}
