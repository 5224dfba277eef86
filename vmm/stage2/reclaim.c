/* SPDX-License-Identifier: MIT */
#include "stage2/reclaim.h"

#include <errno.h>

/* The whole range is in the state to be left. */
static int check(const struct stage2 *s2, gpa_t gpa, uint64_t size, bool mapped)
{
	bool is_mapped;
	int r = stage2_range_state(s2, gpa, size, &is_mapped);

	return r < 0 ? r : is_mapped == mapped ? 0 : -EALREADY;
}

/* Pages of the 2 MiB around `at` that stay when [first, end) goes, if a leaf of 2 MiB must be split for it; else 0. */
static uint64_t kept_by_split(const struct stage2 *s2, uint64_t at, uint64_t first, uint64_t end)
{
	const uint64_t base = at & ~(PAGE_2M - 1);
	const uint64_t from = base > first ? base : first, to = base + PAGE_2M < end ? base + PAGE_2M : end;
	struct stage2_mapping m;

	if (to - from == PAGE_2M || !stage2_lookup(s2, gpa_init(at), &m) || m.level < 2)
		return 0;
	return (PAGE_2M - (to - from)) / PAGE_SIZE;
}

static void count_split(uint64_t kept, struct counters *counters)
{
	counter_add(counters, CTR_STAGE2_SPLITS, kept != 0);
	counter_add(counters, CTR_STAGE2_KEPT, kept);
}

/* All slices can be reclaimed; *ret_splits is how many tables that takes at most. */
static int check_slices(const struct stage2 *s2, const struct stage2_slice *slice, unsigned n, unsigned *ret_splits)
{
	uint64_t done = 1; /* the 2 MiB that were counted last; no such address */

	*ret_splits = 0;
	for (unsigned i = 0; i < n; i++) {
		const uint64_t first = gpa_raw(slice[i].gpa), end = first + slice[i].size;
		const uint64_t ends[] = {first, end - 1};
		int r = check(s2, slice[i].gpa, slice[i].size, true);

		if (r < 0)
			return r;
		BUG_ON(!stage2_ptr(s2, slice[i].gpa, slice[i].size)); /* the frames lie in a row */
		BUG_ON(i && first <= gpa_raw(slice[i - 1].gpa) + slice[i - 1].size);
		for (int j = 0; j < 2; j++) {
			const uint64_t block = ends[j] & ~(PAGE_2M - 1);

			*ret_splits += block != done && kept_by_split(s2, ends[j], first, end);
			done = block;
		}
	}
	return 0;
}

/* Fills and publishes tables where a leaf is split, then removes. The tables are in the pool. */
static void remove_slice(struct stage2 *s2, struct stage2_slice *slice, struct pt_gather *g, struct counters *counters)
{
	const uint64_t first = gpa_raw(slice->gpa), end = first + slice->size;
	struct stage2_mapping m = {0};

	BUG_ON(!stage2_lookup(s2, slice->gpa, &m));
	slice->maddr = m.maddr;
	count_split(kept_by_split(s2, first, first, end), counters);
	if ((first ^ (end - 1)) & ~(PAGE_2M - 1))
		count_split(kept_by_split(s2, end - 1, first, end), counters);
	BUG_ON(stage2_unmap(s2, slice->gpa, slice->size, g) < 0);
	counter_add(counters, CTR_STAGE2_REMOVED, slice->size / PAGE_SIZE);
}

int stage2_reclaim(struct stage2 *s2, struct stage2_slice *slice, unsigned n, const struct stage2_reclaim_ops *ops,
                   void *ctx, struct counters *counters)
{
	struct pt_gather g = PT_GATHER_INIT;
	unsigned splits;
	int r = check_slices(s2, slice, n, &splits);

	/* Asked for here, so that what is counted does happen; two more, as each removal wants them at hand. */
	if (r == 0)
		r = pt_pool_reserve(&s2->pt, splits + 2);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < n; i++)
		remove_slice(s2, &slice[i], &g, counters);
	counter_inc(counters, CTR_STAGE2_SHOOTDOWNS);
	counter_add(counters, CTR_STAGE2_ACKS, ops->shootdown(ctx, slice, n));
	pt_gather_finish(&s2->pt, &g);
	for (unsigned i = 0; i < n; i++)
		counter_add(counters, CTR_STAGE2_DISCARDED, ops->discard(ctx, slice[i].maddr, slice[i].size));
	return 0;
}

/* Joins the pages around `base` if all 512 are back. */
static void collapse(struct stage2 *s2, uint64_t base, struct pt_gather *g, struct counters *counters)
{
	if (stage2_collapse(s2, gpa_init(base), g) == 0)
		counter_inc(counters, CTR_STAGE2_COLLAPSES);
}

int stage2_release(struct stage2 *s2, gpa_t gpa, uint64_t size, const struct stage2_reclaim_ops *ops, void *ctx,
                   struct counters *counters)
{
	const uint64_t first = gpa_raw(gpa) & ~(PAGE_2M - 1), last = (gpa_raw(gpa) + size - 1) & ~(PAGE_2M - 1);
	struct pt_gather g = PT_GATHER_INIT;
	struct stage2_mapping m;
	int r = check(s2, gpa, size, false);

	if (r < 0)
		return r;
	/* A table for each end, and one above for each GiB, none of which need be left. */
	r = pt_pool_reserve(&s2->pt, 6 + size / PAGE_1G);
	if (r < 0)
		return r;
	/* First the frames: nobody may find a mapping to one that cannot be touched. */
	r = ops->refill(ctx, gpa, size);
	if (r < 0)
		return r;
	r = stage2_map(s2, gpa, size, &g);
	BUG_ON(r < 0);
	counter_add(counters, CTR_STAGE2_RETURNED, size / PAGE_SIZE);
	collapse(s2, first, &g, counters);
	if (last != first)
		collapse(s2, last, &g, counters);
	/* Nothing is stale that could be: absence is cached nowhere, and 512 small pages say what the large one says.
	 */
	pt_gather_finish(&s2->pt, &g);
	for (uint64_t at = first; at <= last; at += PAGE_2M)
		if (stage2_lookup(s2, gpa_init(at), &m) && m.level == 2)
			ops->ask_huge(ctx, m.maddr, PAGE_2M);
	return 0;
}
