/* SPDX-License-Identifier: MIT */
/*
 * Invariants of a tree, checked one by one by looking at everything:
 *
 *     each entry            absent: all zero.  table: not at level 1, known, linked here and only here.
 *                           leaf: at a level that holds leaves, attributes that the format allows.  reserved bits zero
 *     each table            its count of present entries is right and, but for the root, not zero
 *     the tree              its counters equal a recount
 *
 * Parts: entries; tables; the tree.
 */
#include <errno.h>

#include "pgtable/internal.h"

struct recount {
	uint64_t tables, leaves[PT_LEVELS_MAX + 1];
	unsigned present[PT_LEVELS_MAX + 1]; /* of the part that was visited of the open table at each level */
};

/* What is wrong with the link under the iterator, or NULL. */
static const char *check_link(const struct pt_iter *it)
{
	struct pt *pt = it->pt;
	const struct pt_table *table;

	if (it->level == 1)
		return "a table entry stands at level 1, below which there is nothing";
	table = pt->ops->find(pt->ctx, pt->fmt->address(it->old, it->level));
	if (!table)
		return "a table entry points to what is not a table";
	if (pt->shared)
		return NULL;
	/* The table remembers its one place: a second link, a loop too, is at another. */
	if (table->level != it->level - 1)
		return "a table is linked at a level that is not its own";
	if (table->linear != pt_linear(pt->fmt, it->va))
		return "a table is linked at two places";
	return NULL;
}

static const char *check_leaf(const struct pt_iter *it)
{
	const struct pt_format *fmt = it->pt->fmt;

	if (!fmt->level[it->level].leaf)
		return "a leaf stands at a level that holds none";
	if (!pt_attrs_ok(fmt, fmt->get_attrs(it->old, it->level)))
		return "a leaf has attributes that its format forbids";
	return NULL;
}

static const char *check_entry(const struct pt_iter *it)
{
	const struct pt_format *fmt = it->pt->fmt;

	if (!fmt->is_present(it->old, it->level))
		return pte_raw(it->old) ? "an absent entry is not zero" : NULL;
	if (pt_reserved_bits(fmt, it->old, it->level))
		return "an entry has reserved bits set";
	return fmt->is_leaf(it->old, it->level) ? check_leaf(it) : check_link(it);
}

/* The table at `level` was left behind; `r` holds what was found in it. */
static const char *check_table(const struct pt_iter *it, int level, struct recount *r)
{
	const struct pt_table *table = it->path[level];

	if (it->pt->shared)
		return NULL;
	if (table->present != r->present[level])
		return "a table's count of present entries is wrong";
	if (!table->present && level < it->root_level)
		return "an empty table is linked";
	return NULL;
}

static const char *check_counters(const struct pt *pt, const struct recount *r)
{
	if (pt->shared)
		return NULL;
	if (pt->tables != r->tables)
		return "the counter of tables is wrong";
	for (int l = 1; l <= pt->fmt->levels; l++)
		if (pt->leaves[l] != r->leaves[l])
			return "a counter of leaves is wrong";
	return NULL;
}

static void count_entry(const struct pt_iter *it, struct recount *r)
{
	const struct pt_format *fmt = it->pt->fmt;
	bool leaf = fmt->is_leaf(it->old, it->level);

	if (!fmt->is_present(it->old, it->level))
		return;
	r->present[it->level]++;
	r->leaves[it->level] += leaf;
	r->tables += !leaf;
}

/* The first thing that is wrong, with the iterator at it. */
static const char *check(struct pt_iter *it, struct pt *pt, struct recount *r)
{
	int level = pt->fmt->levels;
	const char *what = NULL;

	pt_for_each (it, pt, 0, UINT64_MAX, 1) {
		for (; level < it->level && !what; level++)
			what = check_table(it, level, r);
		if (level > it->level) {
			level = it->level;
			r->present[level] = 0;
		}
		if (!what)
			what = check_entry(it);
		if (what)
			return what;
		count_entry(it, r);
	}
	for (; level <= pt->fmt->levels && !what; level++)
		what = check_table(it, level, r);
	return what ? what : check_counters(pt, r);
}

int pt_audit(struct pt *pt, struct pt_violation *ret_violation)
{
	struct recount r = {.tables = 1};
	struct pt_iter it;
	const char *what = check(&it, pt, &r);

	if (!what)
		return 0;
	*ret_violation = (struct pt_violation){.what = what, .va = it.va, .level = it.level, .entry = it.old};
	return -EBADMSG;
}
