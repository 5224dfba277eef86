/* SPDX-License-Identifier: MIT */
/* Page numbers: which are RAM, which are in the balloon, which follow each other. */
#include <stdlib.h>

#include "base/bitmap.h"
#include "virtio/balloon_parts.h"

/* The number of the first page among all pages of RAM; false when not all of them are RAM. */
static bool ram_index(const struct balloon *b, uint64_t pfn, uint64_t nr, uint64_t *ret_index)
{
	uint64_t before = 0;

	for (int i = 0; i < BALLOON_RAM_RANGES; i++) {
		const uint64_t off = pfn - gpa_raw(b->config.ram[i].base) / PAGE_SIZE; /* wraps to huge when below */
		const uint64_t pages = b->config.ram[i].size / PAGE_SIZE;

		if (off < pages && nr <= pages - off) {
			*ret_index = before + off;
			return true;
		}
		before += pages;
	}
	return false;
}

/* How many of these pages are in the balloon. */
static uint64_t count_ballooned(const struct balloon *b, uint64_t index, uint64_t pages)
{
	uint64_t n = 0;

	for (uint64_t i = index; i < index + pages;) {
		const uint64_t word = b->in_balloon_map[i / BITMAP_WORD];

		n += __builtin_popcountll(word & bitmap_mask(&i, index + pages));
	}
	return n;
}

static bool is_in_balloon(const struct balloon *b, uint64_t index)
{
	return count_ballooned(b, index, 1);
}

static int compare(const void *x, const void *y)
{
	const uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;

	return (a > b) - (a < b);
}

/* Drivers mostly give pages in order, and then there is nothing to do. */
static void sort(uint32_t *pfns, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		if (pfns[i] < pfns[i - 1]) {
			qsort(pfns, n, sizeof(*pfns), compare);
			return;
		}
	}
}

struct balloon_run balloon_next_run(const struct balloon *b, uint32_t n, uint32_t *i)
{
	struct balloon_run run = {.pfn = b->pfns[*i]};

	do {
		run.pages++;
		++*i;
	} while (*i < n && b->pfns[*i] == run.pfn + run.pages);
	return run;
}

const char *balloon_check(struct balloon *b, uint32_t n, bool in_balloon)
{
	uint64_t end = 0; /* of the run before */

	sort(b->pfns, n);
	for (uint32_t i = 0; i < n;) {
		const struct balloon_run run = balloon_next_run(b, n, &i);
		uint64_t index, in_there;

		if (!ram_index(b, run.pfn, run.pages, &index))
			return "a page number lies outside memory";
		if (run.pfn < end)
			return "a page number stands twice in a request";
		end = run.pfn + run.pages;
		in_there = count_ballooned(b, index, run.pages);
		if (in_there && !in_balloon)
			return "a page was given that is in the balloon already";
		if (in_there < run.pages && in_balloon)
			return "a page was asked back that is not in the balloon";
	}
	for (uint32_t i = 0; !in_balloon && i < n;) {
		const struct balloon_run run = balloon_next_run(b, n, &i);
		const char *why =
		    b->config.ops->refusal(b->config.ops_ctx, gfn_to_gpa(gfn_init(run.pfn)), run.pages * PAGE_SIZE);

		if (why)
			return why;
	}
	return NULL;
}

const char *balloon_check_range(struct balloon *b, gpa_t at, uint64_t size)
{
	uint64_t index;

	if (page_offset(gpa_raw(at)) || page_offset(size) || !size)
		return "a reported range is not whole pages";
	if (!ram_index(b, gpa_raw(at) / PAGE_SIZE, size / PAGE_SIZE, &index))
		return "a reported page lies outside memory";
	if (count_ballooned(b, index, size / PAGE_SIZE))
		return "a page was reported free that is in the balloon";
	return b->config.ops->refusal(b->config.ops_ctx, at, size);
}

void balloon_mark(struct balloon *b, struct balloon_run run, bool in_balloon)
{
	uint64_t index = 0;

	BUG_ON(!ram_index(b, run.pfn, run.pages, &index));
	for (uint64_t i = index; i < index + run.pages;) {
		uint64_t *word = &b->in_balloon_map[i / BITMAP_WORD];
		const uint64_t mask = bitmap_mask(&i, index + run.pages);

		*word = in_balloon ? *word | mask : *word & ~mask;
	}
	if (in_balloon)
		b->ballooned_pages += run.pages;
	else
		b->ballooned_pages -= run.pages;
}

bool balloon_first_run(const struct balloon *b, struct balloon_run *ret_run)
{
	uint64_t before = 0;

	for (int i = 0; i < BALLOON_RAM_RANGES; i++) {
		const uint64_t pages = b->config.ram[i].size / PAGE_SIZE;

		for (uint64_t p = 0; p < pages; p++) {
			uint64_t n = 0;

			if ((before + p) % BITMAP_WORD == 0 && !b->in_balloon_map[(before + p) / BITMAP_WORD]) {
				p += BITMAP_WORD - 1;
				continue;
			}
			while (p + n < pages && is_in_balloon(b, before + p + n))
				n++;
			if (!n)
				continue;
			*ret_run = (struct balloon_run){gpa_raw(b->config.ram[i].base) / PAGE_SIZE + p, n};
			return true;
		}
		before += pages;
	}
	return false;
}
