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

/* Pages of the 2 MiB around `at` that stay when the slices go, if a leaf of 2 MiB must be split for it; else 0. */
static uint64_t kept_by_split(const struct stage2 *s2, uint64_t at, const struct stage2_slice *slice, unsigned n)
{
	const uint64_t base = at & ~(PAGE_2M - 1);
	struct stage2_mapping m;
	uint64_t kept = PAGE_2M;

	if (!stage2_lookup(s2, gpa_init(at), &m) || m.level < 2)
		return 0;
	for (unsigned i = 0; i < n && gpa_raw(slice[i].gpa) < base + PAGE_2M; i++) {
		const uint64_t first = gpa_raw(slice[i].gpa), end = first + slice[i].size;

		kept -= (end < base + PAGE_2M ? end : base + PAGE_2M) - (first > base ? first : base);
	}
	return kept / PAGE_SIZE;
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

			*ret_splits += block != done && kept_by_split(s2, ends[j], slice + i, n - i);
			done = block;
		}
	}
	return 0;
}

/* Fills and publishes tables where a leaf is split, then removes the first of n slices. The tables are in the pool. */
static void remove_slice(struct stage2 *s2, struct stage2_slice *slice, unsigned n, struct pt_gather *g,
                         struct counters *counters)
{
	const uint64_t first = gpa_raw(slice->gpa), end = first + slice->size;
	struct stage2_mapping m = {0};

	BUG_ON(!stage2_lookup(s2, slice->gpa, &m));
	slice->maddr = m.maddr;
	count_split(kept_by_split(s2, first, slice, n), counters);
	if ((first ^ (end - 1)) & ~(PAGE_2M - 1))
		count_split(kept_by_split(s2, end - 1, slice, n), counters);
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
		remove_slice(s2, &slice[i], n - i, &g, counters);
	counter_inc(counters, CTR_STAGE2_SHOOTDOWNS);
	counter_add(counters, CTR_STAGE2_ACKS, ops->shootdown(ctx, slice, n));
	pt_gather_finish(&s2->pt, &g);
	for (unsigned i = 0; i < n; i++)
		counter_add(counters, CTR_STAGE2_SURRENDERED, ops->surrender(ctx, slice[i].maddr, slice[i].size));
	return 0;
}

/* Makes a slice usable and maps it. */
static int release_slice(struct stage2 *s2, const struct stage2_slice *slice, const struct stage2_reclaim_ops *ops,
                         void *ctx, struct pt_gather *g)
{
	int r = check(s2, slice->gpa, slice->size, false);

	if (r < 0)
		return r;
	/* A table for each end, and one above for each GiB, none of which need be left. */
	r = pt_pool_reserve(&s2->pt, 6 + slice->size / PAGE_1G);
	if (r < 0)
		return r;
	/* First the frames: nobody may find a mapping to one that cannot be touched. */
	r = ops->restore(ctx, slice->gpa, slice->size);
	if (r < 0)
		return r;
	r = stage2_map(s2, slice->gpa, slice->size, g);
	BUG_ON(r < 0);
	return 0;
}

/* Each 2 MiB that the slices touch, once: the first that begins at *at or after it. False: there is none. */
static bool next_block(const struct stage2_slice *slice, unsigned n, unsigned *i, uint64_t *at)
{
	for (; *i < n; ++*i) {
		const uint64_t first = gpa_raw(slice[*i].gpa) & ~(PAGE_2M - 1);

		*at = first > *at ? first : *at;
		if (*at < gpa_raw(slice[*i].gpa) + slice[*i].size)
			return true;
	}
	return false;
}

#define for_each_block(i, at, slice, n) for ((i) = 0, (at) = 0; next_block(slice, n, &(i), &(at)); (at) += PAGE_2M)

int stage2_release(struct stage2 *s2, const struct stage2_slice *slice, unsigned n,
                   const struct stage2_reclaim_ops *ops, void *ctx, struct counters *counters, unsigned *ret_done)
{
	struct pt_gather g = PT_GATHER_INIT;
	struct stage2_mapping m;
	unsigned done = 0, i;
	uint64_t at;
	int r = 0;

	for (; done < n; done++) {
		r = release_slice(s2, &slice[done], ops, ctx, &g);
		if (r < 0)
			break;
		counter_add(counters, CTR_STAGE2_RELEASED, slice[done].size / PAGE_SIZE);
	}
	for_each_block (i, at, slice, done)
		counter_add(counters, CTR_STAGE2_COLLAPSES, stage2_collapse(s2, gpa_init(at), &g) == 0);
	/*
	 * Nothing is stale that could be: absence is cached nowhere, and 512 small pages say what the large one says.
	 */
	pt_gather_finish(&s2->pt, &g);
	for_each_block (i, at, slice, done)
		if (stage2_lookup(s2, gpa_init(at), &m) && m.level == 2)
			ops->joined(ctx, gpa_init(at), m.maddr);
	*ret_done = done;
	return r;
}
