/* SPDX-License-Identifier: MIT */
#include "model/layout/layout.h"

#include <errno.h>
#include <gnomon/addr.h>

#include "model/design/memory.h"
#include "model/design/random.h"

/* Regions of a mix: so large that each size fits, and takes turns. */
#define REGION_SHIFT 30

static const char *const names[] = {
    [MODEL_DENSE] = "dense", [MODEL_SPARSE] = "sparse", [MODEL_RANDOM] = "random", [MODEL_MIX] = "mix"};

const char *model_layout_name(size_t i)
{
	return i < MODEL_NR_LAYOUTS ? names[i] : NULL;
}

static int largest_shift(const struct model_layout *l)
{
	return l->kind == MODEL_MIX ? REGION_SHIFT : l->page_shift;
}

static const char *find_fault(const struct model_layout *l)
{
	if (l->kind != MODEL_MIX && l->page_shift != 12 && l->page_shift != 21 && l->page_shift != 30)
		return "pages have 4 KiB, 2 MiB or 1 GiB";
	if (l->first & ((1ull << largest_shift(l)) - 1))
		return "the first address is a multiple of the largest page";
	if (l->bytes >> largest_shift(l) == 0 && l->kind != MODEL_MIX)
		return "there is less to map than one page";
	if (l->kind == MODEL_SPARSE && (l->gap < l->page_shift || l->gap > 47))
		return "a slice of a sparse layout has room for its page and is below 1 << 48 bytes";
	if (l->kind == MODEL_RANDOM && l->range < l->bytes)
		return "the range of a random layout has room for its pages";
	if (l->kind == MODEL_MIX && !(l->share[0] + l->share[1] + l->share[2]))
		return "a mix has a share of one page size at least";
	if (l->per_mille >= 1000)
		return "pages are left out per mille: below 1000";
	return NULL;
}

int model_layout_check(const struct model_layout *layout, const char **ret_why)
{
	const char *why = find_fault(layout);

	if (why)
		*ret_why = why;
	return why ? -EINVAL : 0;
}

/*
 * Number i of a random order of 0 to n - 1: a permutation of the next power of four, by four rounds of a Feistel
 * network, walked until it comes to a number below n.
 */
static uint64_t permute(uint64_t i, uint64_t n, uint64_t seed)
{
	int half = 1;

	while (n > 1ull << 2 * half)
		half++;
	do {
		const uint64_t mask = (1ull << half) - 1;
		uint64_t left = i >> half, right = i & mask;

		for (uint64_t round = 0; round < 4; round++) {
			const uint64_t mixed = left ^ (model_mix(right ^ seed ^ round << 60) & mask);

			left = right;
			right = mixed;
		}
		i = left << half | right;
	} while (i >= n);
	return i;
}

/* The size that the pages of a mix's region have: by its share of the bytes. */
static int region_shift(const struct model_layout *l, uint64_t region)
{
	uint64_t turn = model_mix(l->seed ^ region) % (l->share[0] + l->share[1] + l->share[2]);

	for (int i = 0; i < 2; i++) {
		if (turn < l->share[i])
			return 12 + 9 * i;
		turn -= l->share[i];
	}
	return 30;
}

static bool next_of_mix(const struct model_layout *l, struct model_layout_at *at, struct model_mapping *page)
{
	const uint64_t left = l->bytes - at->region * (1ull << REGION_SHIFT);
	uint64_t bytes = left < 1ull << REGION_SHIFT ? left : 1ull << REGION_SHIFT, pages;

	if (at->region >= round_up(l->bytes, 1ull << REGION_SHIFT) >> REGION_SHIFT)
		return false;
	page->page_shift = region_shift(l, at->region);
	bytes = round_up(bytes, 1ull << page->page_shift);
	pages = bytes >> page->page_shift;
	page->va = l->first + (at->region << REGION_SHIFT) +
	           (permute(at->next, pages, l->seed ^ at->region) << page->page_shift);
	if (++at->next == pages) {
		at->next = 0;
		at->region++;
	}
	return true;
}

static bool next_of_one_size(const struct model_layout *l, struct model_layout_at *at, struct model_mapping *page)
{
	const uint64_t i = at->next++;

	if (i >= l->bytes >> l->page_shift)
		return false;
	page->page_shift = l->page_shift;
	switch (l->kind) {
	case MODEL_SPARSE:
		page->va = l->first + (i << l->gap) +
		           (model_mix(l->seed ^ i) % (1ull << (l->gap - l->page_shift)) << l->page_shift);
		break;
	case MODEL_RANDOM:
		page->va = l->first + (permute(i, l->range >> l->page_shift, l->seed) << l->page_shift);
		break;
	default:
		page->va = l->first + (i << l->page_shift);
	}
	return true;
}

bool model_layout_next(const struct model_layout *layout, struct model_layout_at *at, struct model_mapping *ret_page)
{
	do {
		if (layout->kind == MODEL_MIX ? !next_of_mix(layout, at, ret_page)
		                              : !next_of_one_size(layout, at, ret_page))
			return false;
	} while (model_mix(ret_page->va ^ ~layout->seed) % 1000 < layout->per_mille);
	ret_page->attrs = PT_RWX;
	ret_page->pa = 0;
	return true;
}

int model_layout_map(const struct model_layout *layout, struct walker *w,
                     void (*told)(void *ctx, const struct model_mapping *page), void *ctx)
{
	struct model_layout_at at = {0};
	struct model_mapping page;

	while (model_layout_next(layout, &at, &page)) {
		int r = model_memory_page(w->memory, page.page_shift, &page.pa);

		if (r == 0)
			r = walker_map(w, page.va, page.pa, page.page_shift, page.attrs);
		if (r < 0)
			return r;
		if (told)
			told(ctx, &page);
	}
	return 0;
}
