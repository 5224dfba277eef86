/* SPDX-License-Identifier: MIT */
#include "model/walk_live.h"

#include <gnomon/addr.h>
#include <gnomon/x86.h>

/* Of one walk. */
struct range {
	unsigned low, high;
};

static bool is_canonical(const struct walk_live *live, uint64_t va)
{
	const int64_t top = (int64_t)va >> (PAGE_SHIFT + 9 * live->levels - 1);

	return top == 0 || top == -1;
}

/* A larger leaf leaves levels out. */
static struct range second_stage(const struct walk_live *live, uint64_t at)
{
	struct walk_leaf leaf;

	live->leaf(live->ctx, at, &leaf);
	return (struct range){live->second + 1 - leaf.largest, live->second + 1 - leaf.smallest};
}

static void add(struct range *sum, struct range more)
{
	sum->low += more.low;
	sum->high += more.high;
}

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

/* The table that a hypervisor made of a leaf here and those of the second stage. */
static struct range composed(const struct walk_live *live, int level, uint64_t data)
{
	struct walk_leaf leaf;

	live->leaf(live->ctx, data, &leaf);
	return (struct range){live->levels + 1 - smaller(level, leaf.largest),
	                      live->levels + 1 - smaller(level, leaf.smallest)};
}

/* False: the page is not mapped. */
static bool walk(const struct walk_live *live, uint64_t va, struct range *ret_range)
{
	struct range refs = {0};
	uint64_t table = live->root, e, data;
	int level;

	for (level = live->levels;; level--) {
		const unsigned index = va >> (PAGE_SHIFT + 9 * (level - 1)) & 511;

		if (!live->entry(live->ctx, table + index * sizeof(e), &e) || !(e & PTE_P))
			return false;
		if (live->second)
			add(&refs, second_stage(live, table));
		add(&refs, (struct range){1, 1});
		if (level == 1 || (level <= 3 && e & PTE_PS))
			break;
		table = e & PTE_ADDR;
	}
	data = (e & PTE_ADDR & ~(level_span(level) - 1)) + (va & (level_span(level) - 1));
	if (live->second)
		add(&refs, second_stage(live, data));
	else
		refs = composed(live, level, data);
	*ret_range = refs;
	return true;
}

void walk_live_count(const struct walk_live *live, uint64_t first, uint64_t bytes, struct walk_refs *ret_refs)
{
	const uint64_t page = first & PAGE_MASK;
	const uint64_t pages = bytes ? ((first + bytes - 1) >> PAGE_SHIFT) - (first >> PAGE_SHIFT) + 1 : 0;
	struct walk_refs refs = {0};

	for (uint64_t i = 0; i < pages; i++) {
		const uint64_t va = page + i * PAGE_SIZE;
		struct range one;

		if (!is_canonical(live, va) || !walk(live, va, &one))
			continue;
		if (!refs.pages++ || one.low < refs.low)
			refs.low = one.low;
		if (one.high > refs.high)
			refs.high = one.high;
		refs.sum_low += one.low;
		refs.sum_high += one.high;
	}
	*ret_refs = refs;
}
