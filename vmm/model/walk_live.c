/* SPDX-License-Identifier: MIT */
#include "model/walk_live.h"

#include <gnomon/addr.h>

#include "model/walk_steps.h"

/* Of one walk. */
struct range {
	unsigned low, high;
};

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
static struct range composed(const struct walk_live *live, const struct walk_steps *steps)
{
	struct walk_leaf leaf;

	live->leaf(live->ctx, steps->data, &leaf);
	return (struct range){live->levels + 1 - smaller(steps->level, leaf.largest),
	                      live->levels + 1 - smaller(steps->level, leaf.smallest)};
}

static struct range two_dimensions(const struct walk_live *live, const struct walk_steps *steps)
{
	struct range refs = second_stage(live, steps->data);

	for (int i = 0; i < steps->nr; i++) {
		add(&refs, second_stage(live, steps->at[i]));
		add(&refs, (struct range){1, 1});
	}
	return refs;
}

void walk_live_count(const struct walk_live *live, uint64_t first, uint64_t bytes, struct walk_refs *ret_refs)
{
	const uint64_t page = first & PAGE_MASK;
	const uint64_t pages = bytes ? ((first + bytes - 1) >> PAGE_SHIFT) - (first >> PAGE_SHIFT) + 1 : 0;
	const struct walk_tables tables = {live->root, live->levels, live->entry, live->ctx};
	struct walk_refs refs = {0};
	struct walk_steps steps;

	for (uint64_t i = 0; i < pages; i++) {
		struct range one;

		if (!walk_steps(&tables, page + i * PAGE_SIZE, &steps))
			continue;
		one = live->second ? two_dimensions(live, &steps) : composed(live, &steps);
		if (!refs.pages++ || one.low < refs.low)
			refs.low = one.low;
		if (one.high > refs.high)
			refs.high = one.high;
		refs.sum_low += one.low;
		refs.sum_high += one.high;
	}
	*ret_refs = refs;
}
