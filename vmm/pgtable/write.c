/* SPDX-License-Identifier: MIT */
/*
 * The one writer, its bookkeeping, and the life of table pages.
 *
 *     alloc --> pool --> (filled, unlinked) --> linked --> gather --flush--> free
 *                 ^-------- lost the race -----'  '--- one compare-and-swap each way
 *
 * A table that was unlinked is still walked by CPUs that hold its address in a paging-structure
 * cache (SDM vol. 3, 4.10.3); so its entries are cleared one exchange each, which also
 * brings home the last A and D bits, and its page waits in the gather for the flush.
 *
 * Parts: pool; bookkeeping of one entry; linking and unlinking tables; pt_set; gather.
 */
#include <errno.h>
#include <string.h>

#include "pgtable/internal.h"

int pt_pool_reserve(struct pt *pt, unsigned nr)
{
	while (pt->pool_count < nr) {
		struct pt_table *table = pt->ops->alloc(pt->ctx);

		if (!table)
			return -ENOMEM;
		pt_pool_put(pt, table);
	}
	return 0;
}

struct pt_table *pt_pool_take(struct pt *pt)
{
	struct pt_table *table = pt->pool;

	BUG_ON(!table); /* an operation reserved less than it needs */
	pt->pool = table->next;
	pt->pool_count--;
	table->next = NULL;
	table->present = 0;
	table->collapsed = false;
	return table;
}

void pt_pool_put(struct pt *pt, struct pt_table *table)
{
	table->next = pt->pool;
	pt->pool = table;
	pt->pool_count++;
}

static void gather_range(struct pt_gather *g, uint64_t first, uint64_t last)
{
	g->first = g->due && g->first < first ? g->first : first;
	g->last = g->due && g->last > last ? g->last : last;
	g->due = true;
}

/* True if D of the leaf `old` is not found in `new`. */
static bool loses_dirty(const struct pt_format *fmt, pte_t old, pte_t new, int level)
{
	if (!fmt->is_leaf(old, level) || !(fmt->get_attrs(old, level) & PT_D))
		return false;
	return !fmt->is_leaf(new, level) || fmt->address(old, level) != fmt->address(new, level) ||
	       !(fmt->get_attrs(new, level) & PT_D);
}

/* Whatever depends on one entry, after it changed. `moved`: the leaf lives on at another level. */
static void account(struct pt_iter *it, pte_t old, pte_t new, bool moved, struct pt_gather *g)
{
	struct pt *pt = it->pt;
	const struct pt_format *fmt = pt->fmt;
	int level = it->level;
	struct pt_change change = {.va = it->va, .level = level, .old = old, .new = new};

	it->path[level]->present += fmt->is_present(new, level);
	it->path[level]->present -= fmt->is_present(old, level);
	pt->leaves[level] += fmt->is_leaf(new, level);
	pt->leaves[level] -= fmt->is_leaf(old, level);
	pt->tables += pt_is_table(fmt, new, level);
	pt->tables -= pt_is_table(fmt, old, level);
	if (pt_flush_due(fmt, old, new, level))
		gather_range(g, it->va, it->va + pt_span(fmt, level) - 1);
	if (pt->ops->changed) {
		change.dirty = !moved && loses_dirty(fmt, old, new, level);
		pt->ops->changed(pt->ctx, &change);
	}
}

/* The one store to a live entry. False, with it->old what is there, when the entry is not it->old. */
static bool store(struct pt_iter *it, pte_t new)
{
	struct pt_table *table = it->path[it->level];
	unsigned index = pt_index(it->pt->fmt, pt_linear(it->pt->fmt, it->va), it->level);
	uint64_t was = pte_raw(it->old);

	if (it->pt->ops->cmpxchg)
		was = pte_raw(it->pt->ops->cmpxchg(it->pt->ctx, table, index, it->old, new));
	else
		__atomic_compare_exchange_n(&table->entry[index], &was, pte_raw(new), false, __ATOMIC_ACQ_REL,
		                            __ATOMIC_ACQUIRE);
	if (was == pte_raw(it->old))
		return true;
	it->old = pte_init(was);
	return false;
}

/* `table` was just linked: counts what it holds. */
static void adopt(struct pt *pt, struct pt_table *table, bool moved, struct pt_gather *g)
{
	struct pt_iter it;

	for (pt_iter_start_table(&it, pt, table); it.valid; pt_iter_next(&it))
		if (pt->fmt->is_present(it.old, it.level))
			account(&it, pte_init(0), it.old, moved, g);
}

static void gather_table(struct pt_gather *g, struct pt_table *table, bool collapsed)
{
	table->collapsed = collapsed;
	table->next = g->tables;
	g->tables = table;
	g->nr_tables++;
}

/* `table` was just unlinked: uncounts what it holds, and clears it unless a leaf took over. */
static void drop(struct pt *pt, struct pt_table *table, bool collapsed, struct pt_gather *g)
{
	struct pt_iter it;

	for (pt_iter_start_table(&it, pt, table); it.valid; pt_iter_next(&it)) {
		if (!pt->fmt->is_present(it.old, it.level))
			continue;
		while (!collapsed && !store(&it, pte_init(0)))
			continue;
		account(&it, it.old, pte_init(0), collapsed, g);
		if (pt_is_table(pt->fmt, it.old, it.level))
			gather_table(g, pt->ops->find(pt->ctx, pt->fmt->address(it.old, it.level)), false);
	}
	gather_table(g, table, collapsed);
}

static int set(struct pt_iter *it, pte_t new, bool collapse, struct pt_gather *g)
{
	struct pt *pt = it->pt;
	const struct pt_format *fmt = pt->fmt;
	pte_t old = it->old;
	struct pt_table *from = NULL, *to = NULL;
	bool relink, moved;

	if (pt_is_table(fmt, old, it->level))
		from = pt->ops->find(pt->ctx, fmt->address(old, it->level));
	if (pt_is_table(fmt, new, it->level))
		to = pt->ops->find(pt->ctx, fmt->address(new, it->level));
	relink = from != to && !pt->shared;
	moved = to && fmt->is_leaf(old, it->level); /* a split: D is in the parts */
	if (relink && to) {
		/* Not live yet: walkers that follow the link at once must find these set. */
		to->level = it->level - 1;
		to->linear = pt_linear(fmt, it->va);
	}
	if (!store(it, new))
		return -EAGAIN;
	it->old = new;
	account(it, old, new, moved, g);
	if (relink && to)
		adopt(pt, to, moved, g);
	if (relink && from)
		drop(pt, from, collapse, g);
	return 0;
}

int pt_set(struct pt_iter *it, pte_t new, struct pt_gather *g)
{
	return set(it, new, false, g);
}

int pt_set_collapsed(struct pt_iter *it, pte_t leaf, struct pt_gather *g)
{
	return set(it, leaf, true, g);
}

void pt_replace(struct pt_iter *it, pte_t new, struct pt_gather *g)
{
	while (pt_set(it, new, g) == -EAGAIN)
		continue;
}

/* A and D that CPUs set through `table` between its unlinking and the flush. */
static void harvest(struct pt *pt, struct pt_table *table, struct pt_gather *g)
{
	const struct pt_format *fmt = pt->fmt;
	uint64_t va = pt_canonical(fmt, table->linear);
	struct pt_iter from, to;

	pt_for_each (&to, pt, va, va, table->level + 1)
		if (to.level == table->level + 1)
			break;
	if (!to.valid || !fmt->is_leaf(to.old, to.level))
		return;
	for (pt_iter_start_table(&from, pt, table); from.valid; pt_iter_next(&from)) {
		pt_attrs_t late = fmt->get_attrs(from.old, from.level) & PT_AD;
		pt_attrs_t have = fmt->get_attrs(to.old, to.level);
		uint64_t pa = fmt->address(to.old, to.level) + (from.va - to.va);

		if (fmt->address(from.old, from.level) != pa)
			return; /* something else was mapped there since */
		while ((late & ~have) && pt_set(&to, pt_with_attrs(fmt, to.old, to.level, have | late), g) == -EAGAIN)
			have = fmt->get_attrs(to.old, to.level);
	}
}

void pt_gather_finish(struct pt *pt, struct pt_gather *g)
{
	struct pt_gather raised = PT_GATHER_INIT;

	while (g->tables) {
		struct pt_table *table = g->tables;

		g->tables = table->next;
		if (table->collapsed)
			harvest(pt, table, &raised);
		pt->ops->free(pt->ctx, table);
	}
	/* Bits were only added to leaves: no format owes a flush for that. */
	BUG_ON(raised.due);
	*g = PT_GATHER_INIT;
}

int pt_init(struct pt *pt, const struct pt_format *fmt, const struct pt_ops *ops, void *ctx)
{
	*pt = (struct pt){.fmt = fmt, .ops = ops, .ctx = ctx};
	if (pt_pool_reserve(pt, 1))
		return -ENOMEM;
	pt->root = pt_pool_take(pt);
	pt->root->level = fmt->levels;
	pt->root->linear = 0;
	pt->tables = 1;
	return 0;
}

void pt_destroy(struct pt *pt)
{
	struct pt_gather g = PT_GATHER_INIT;
	struct pt_iter it;

	/* The tables are freed after the walk, which still goes through them. */
	pt_for_each (&it, pt, 0, UINT64_MAX, 2)
		if (pt_is_table(pt->fmt, it.old, it.level))
			gather_table(&g, pt->ops->find(pt->ctx, pt->fmt->address(it.old, it.level)), false);
	pt_gather_finish(pt, &g);
	while (pt->pool)
		pt->ops->free(pt->ctx, pt_pool_take(pt));
	pt->ops->free(pt->ctx, pt->root);
	pt->root = NULL;
}
