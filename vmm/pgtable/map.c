/* SPDX-License-Identifier: MIT */
/*
 * Operations on ranges. Each walks twice: first to find what can fail and how many tables it takes,
 * then, with these in the pool, to do it.
 *
 *     range:           |<----------------------------->|
 *     leaves:    [ 2 MiB   ][ 2 MiB   ][ 2 MiB   ][ 2 MiB   ]
 *                   split  ^  whole      whole    ^  split
 *
 * Parts: counting tables; map; protect; zap.
 */
#include <errno.h>

#include "pgtable/internal.h"

/* A range to be covered by whole leaves. Canonical addresses, both inclusive. */
struct cover {
	const struct pt_format *fmt;
	uint64_t first, last;
	uint64_t skew; /* pa - va: a leaf can only be as large as this is aligned */
	int max_level;
};

/* Whether the entry for `va` at `level` can be one leaf of the cover. */
static bool fits(const struct cover *c, uint64_t va, int level)
{
	uint64_t low = pt_span(c->fmt, level) - 1;

	return level <= c->max_level && c->fmt->level[level].leaf && va >= c->first && va + low <= c->last &&
	       !(c->skew & low);
}

/* Tables to put below the entry for `va` at `level`, now absent or a leaf, that does not fit. */
static unsigned tables_below(const struct cover *c, uint64_t va, int level)
{
	uint64_t end = va + pt_span(c->fmt, level) - 1;
	uint64_t span = pt_span(c->fmt, level - 1);
	uint64_t child = (va > c->first ? va : c->first) & ~(span - 1);
	unsigned nr = 1;

	if (end > c->last)
		end = c->last;
	for (; level > 2; child += span) {
		if (!fits(c, child, level - 1))
			nr += tables_below(c, child, level - 1);
		if (end - child < span)
			break;
	}
	return nr;
}

static int map_reserve(struct pt *pt, const struct cover *c)
{
	unsigned nr = 0;
	struct pt_iter it;

	pt_for_each (&it, pt, c->first, c->last, 1) {
		if (fits(c, it.va, it.level)) {
			pt_iter_skip(&it);
		} else if (!pt_is_table(pt->fmt, it.old, it.level)) {
			nr += tables_below(c, it.va, it.level);
			pt_iter_skip(&it);
		}
	}
	return pt_pool_reserve(pt, nr);
}

/* Puts a leaf under the iterator; the one that is there keeps its A and D if it is the same otherwise. */
static void map_leaf(struct pt_iter *it, uint64_t pa, pt_attrs_t attrs, struct pt_gather *g)
{
	const struct pt_format *fmt = it->pt->fmt;
	pte_t new;

	do {
		new = fmt->make_leaf(it->level, pa, attrs);
		if (fmt->is_leaf(it->old, it->level) && fmt->address(it->old, it->level) == pa) {
			pt_attrs_t had = fmt->get_attrs(it->old, it->level);

			if (!((had ^ attrs) & ~PT_AD))
				new = fmt->make_leaf(it->level, pa, attrs | had);
		}
	} while (pte_raw(new) != pte_raw(it->old) && pt_set(it, new, g) == -EAGAIN);
}

int pt_map(struct pt *pt, uint64_t va, uint64_t size, uint64_t pa, pt_attrs_t attrs, int max_level, struct pt_gather *g)
{
	const struct pt_format *fmt = pt->fmt;
	struct cover c = {.fmt = fmt, .first = va, .last = va + size - 1, .skew = pa - va, .max_level = max_level};
	struct pt_iter it;

	if (!pt_range_ok(fmt, va, size) || page_offset(pa) || max_level < 1 || !pt_attrs_ok(fmt, attrs))
		return -EINVAL;
	if (pa + size - 1 < pa || (pa + size - 1) >> fmt->phys_bits)
		return -EINVAL;
	if (map_reserve(pt, &c))
		return -ENOMEM;
	pt_for_each (&it, pt, c.first, c.last, 1) {
		if (fits(&c, it.va, it.level)) {
			map_leaf(&it, pa + (it.va - va), attrs, g);
			pt_iter_skip(&it);
		} else if (fmt->is_leaf(it.old, it.level)) {
			pt_split_entry(&it, g);
		} else if (!fmt->is_present(it.old, it.level)) {
			/* Linked while empty: nothing below it is visible before its leaf is set. */
			pt_replace(&it, fmt->make_table(it.level, pt_pool_take(pt)->address), g);
		}
	}
	return 0;
}

struct pt_protection {
	pt_attrs_t set, clear;
};

static pt_attrs_t apply(const struct pt_iter *it, struct pt_protection p)
{
	return (it->pt->fmt->get_attrs(it->old, it->level) & ~p.clear) | p.set;
}

static bool would_change(const struct pt_iter *it, struct pt_protection p)
{
	const struct pt_format *fmt = it->pt->fmt;

	return fmt->is_leaf(it->old, it->level) && apply(it, p) != fmt->get_attrs(it->old, it->level);
}

static int protect_reserve(struct pt *pt, const struct cover *c, struct pt_protection p)
{
	unsigned nr = 0;
	struct pt_iter it;

	pt_for_each (&it, pt, c->first, c->last, 1) {
		if (!would_change(&it, p))
			continue;
		if (!pt_attrs_ok(pt->fmt, apply(&it, p)))
			return -EINVAL;
		if (!fits(c, it.va, it.level))
			nr += tables_below(c, it.va, it.level);
	}
	return pt_pool_reserve(pt, nr);
}

int pt_protect(struct pt *pt, uint64_t va, uint64_t size, pt_attrs_t set, pt_attrs_t clear, struct pt_gather *g)
{
	const struct pt_format *fmt = pt->fmt;
	struct cover c = {.fmt = fmt, .first = va, .last = va + size - 1, .max_level = fmt->levels};
	struct pt_protection p = {.set = set, .clear = clear};
	struct pt_iter it;
	int err;

	if (!pt_range_ok(fmt, va, size))
		return -EINVAL;
	err = protect_reserve(pt, &c, p);
	if (err)
		return err;
	pt_for_each (&it, pt, c.first, c.last, 1) {
		if (!would_change(&it, p))
			continue;
		if (!fits(&c, it.va, it.level)) {
			pt_split_entry(&it, g);
			continue;
		}
		while (pt_set(&it, pt_with_attrs(fmt, it.old, it.level, apply(&it, p)), g) == -EAGAIN)
			continue;
	}
	return 0;
}

/* A cover with max_level = levels fits leaves; a zap may take away whole tables of any level too. */
static bool inside(const struct cover *c, const struct pt_iter *it)
{
	return it->va >= c->first && it->va + pt_span(c->fmt, it->level) - 1 <= c->last;
}

static int zap_reserve(struct pt *pt, const struct cover *c)
{
	unsigned nr = 0;
	struct pt_iter it;

	pt_for_each (&it, pt, c->first, c->last, 1) {
		if (inside(c, &it))
			pt_iter_skip(&it);
		else if (pt->fmt->is_leaf(it.old, it.level))
			nr += tables_below(c, it.va, it.level);
	}
	return pt_pool_reserve(pt, nr);
}

int pt_zap(struct pt *pt, uint64_t va, uint64_t size, struct pt_gather *g)
{
	const struct pt_format *fmt = pt->fmt;
	struct cover c = {.fmt = fmt, .first = va, .last = va + size - 1, .max_level = fmt->levels};
	struct pt_iter it;

	if (!pt_range_ok(fmt, va, size))
		return -EINVAL;
	if (zap_reserve(pt, &c))
		return -ENOMEM;
	pt_for_each (&it, pt, c.first, c.last, 1) {
		if (!fmt->is_present(it.old, it.level))
			continue;
		if (!inside(&c, &it)) {
			if (fmt->is_leaf(it.old, it.level))
				pt_split_entry(&it, g);
			continue;
		}
		pt_replace(&it, pte_init(0), g);
		/* A table that is now empty goes too, and so on upwards. */
		while (it.level < fmt->levels && it.path[it.level]->present == 0) {
			pt_iter_up(&it);
			pt_replace(&it, pte_init(0), g);
		}
	}
	return 0;
}
