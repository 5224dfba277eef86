/* SPDX-License-Identifier: MIT */
/*
 * The second stage decides what memory a guest physical address is. What is protected here: every page of the guest
 * leads to its own frame and no other, whatever is split, unmapped, mapped and joined; what is not mapped has no
 * pointer. Lookups: test_stage2_lookup.c.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <gnomon/abi.h>
#include <stdlib.h>
#include <string.h>

#include "stage2_machine.h"
#include "tree_sum.h"

#define LARGE (5ull << 30) /* beyond the MMIO hole; mapped, hardly touched */
#define SLICE (64ull << 10)

/* All of both regions, by 2 MiB pages, at the same number; what is between and beyond is nothing. */
Test(stage2, starts_one_to_one)
{
	const uint64_t top = GNOMON_RAM_HIGH_BASE + (LARGE - GNOMON_RAM_LOW_END);
	const uint64_t in[] = {0, 1, BLOCK - 1, GNOMON_RAM_LOW_END - 1, GNOMON_RAM_HIGH_BASE, top - 1};
	const uint64_t out[] = {GNOMON_RAM_LOW_END, GNOMON_MMIO_BASE, GNOMON_RAM_HIGH_BASE - 1, top,
	                        1ull << 47,         1ull << 48,       (1ull << 48) + 1,         ~0ull};

	make(LARGE);
	cr_assert_eq(s2.pt.leaves[2], LARGE / PAGE_2M);
	cr_assert_eq(s2.pt.leaves[1] + s2.pt.leaves[3], 0);
	for (size_t i = 0; i < sizeof(in) / sizeof(*in); i++) {
		cr_assert_eq(level_at(in[i]), 2);
		cr_assert_eq(maddr_of(in[i]), in[i]);
		cr_assert_eq(ptr(in[i], 1), guest_mem_ptr(&mem, maddr_init(in[i]), 1));
	}
	for (size_t i = 0; i < sizeof(out) / sizeof(*out); i++) {
		struct stage2_mapping m;

		cr_assert_not(stage2_lookup(&s2, gpa_init(out[i]), &m), "%#llx", (unsigned long long)out[i]);
		cr_assert_null(ptr(out[i], 1));
	}
}

/* Pointers end where memory ends, and no length wraps around. */
Test(stage2, pointer_bounds)
{
	make(SMALL);
	cr_assert_eq(ptr(0, SMALL), guest_mem_ptr(&mem, maddr_init(0), SMALL));
	cr_assert_null(ptr(0, SMALL + 1));
	cr_assert_null(ptr(0, 0));
	cr_assert_not_null(ptr(SMALL - 8, 8));
	cr_assert_null(ptr(SMALL - 8, 9));
	cr_assert_null(ptr(8, ~0ull));
	cr_assert_null(ptr(8, ~0ull - 7));
	cr_assert_null(ptr(SMALL, ~0ull));
	cr_assert_null(ptr(~0ull, 2));
}

/* A split changes the size of pages and nothing else. */
Test(stage2, split_keeps_every_page)
{
	const uint64_t before = (make(SMALL), tree_sum(&s2.pt));

	cr_assert_eq(stage2_split(&s2, gpa_init(BLOCK + 5 * PAGE_SIZE), &g), 0);
	for (uint64_t at = BLOCK; at < 2 * BLOCK; at += PAGE_SIZE) {
		cr_assert_eq(level_at(at), 1);
		cr_assert_eq(maddr_of(at), at);
	}
	cr_assert_eq(level_at(BLOCK - 1), 2);
	cr_assert_eq(level_at(2 * BLOCK), 2);
	cr_assert_eq(tree_sum(&s2.pt), before);
	cr_assert_eq(stage2_split(&s2, gpa_init(BLOCK), &g), 0, "small already");
	cr_assert_eq(s2.pt.leaves[1], 512);
	cr_assert_eq(stage2_split(&s2, gpa_init(SMALL), &g), -ENOENT);
	cr_assert_eq(stage2_split(&s2, gpa_init(1ull << 60), &g), -ENOENT);
}

/* 64 KiB out of the middle of 2 MiB: 496 pages stay, 16 go, no neighbour notices, and a flush is owed for just these.
 */
Test(stage2, unmap_a_slice)
{
	const uint64_t at = BLOCK + 37 * SLICE / 2; /* 4 KiB aligned only */

	make(SMALL);
	cr_assert_eq(stage2_unmap(&s2, gpa_init(at), SLICE, &g), 0);
	cr_assert_eq(pages_mapped(BLOCK, BLOCK), 496);
	cr_assert_eq(pages_mapped(at, SLICE), 0);
	cr_assert_eq(pages_mapped(0, SMALL), SMALL / PAGE_SIZE - 16);
	cr_assert(g.due && g.first <= at && g.last >= at + SLICE - 1);
	cr_assert_null(ptr(at, 1));
	cr_assert_null(ptr(at - 8, 16), "reaches into the hole");
	cr_assert_not_null(ptr(at - 8, 8));
	cr_assert_not_null(ptr(BLOCK, at - BLOCK), "many pages, one pointer");
	cr_assert_null(ptr(BLOCK, BLOCK));
	cr_assert(stage2_is_ram(&s2, gpa_init(at), SLICE), "it is the guest's still");
}

/* The way back: map, then one large page again, which leads where it led. */
Test(stage2, map_again_and_collapse)
{
	const uint64_t at = BLOCK + 3 * SLICE;
	const uint64_t before = (make(SMALL), tree_sum(&s2.pt));

	cr_assert_eq(stage2_unmap(&s2, gpa_init(at), SLICE, &g), 0);
	pt_gather_finish(&s2.pt, &g);
	cr_assert_eq(stage2_collapse(&s2, gpa_init(at), &g), -ERANGE, "pages are missing");
	cr_assert_eq(stage2_map(&s2, gpa_init(at), SLICE, &g), 0);
	cr_assert_not(g.due, "from nothing to something owes no flush");
	cr_assert_eq(level_at(at), 1);
	cr_assert_eq(stage2_collapse(&s2, gpa_init(at), &g), 0);
	cr_assert_eq(level_at(at), 2);
	cr_assert_eq(tree_sum(&s2.pt), before);
	cr_assert_eq(stage2_collapse(&s2, gpa_init(at), &g), -ENOENT, "large already");
	cr_assert_eq(s2.pt.leaves[1], 0);
	cr_assert_eq(g.nr_tables, 1, "the table waits for the flush");
}

/* Rights differ: no large page says what they say. */
Test(stage2, collapse_needs_like_rights)
{
	make(SMALL);
	cr_assert_eq(pt_protect(&s2.pt, BLOCK, PAGE_SIZE, 0, PT_W | PT_X, &g), 0);
	cr_assert_eq(stage2_collapse(&s2, gpa_init(BLOCK), &g), -ERANGE);
	cr_assert_eq(stage2_map(&s2, gpa_init(BLOCK), PAGE_SIZE, &g), 0);
	cr_assert_eq(stage2_collapse(&s2, gpa_init(BLOCK), &g), 0);
}

/* Whole blocks go without a split, and take no table. */
Test(stage2, unmap_whole_blocks)
{
	make(SMALL);
	cr_assert_eq(stage2_unmap(&s2, gpa_init(BLOCK), 2 * BLOCK, &g), 0);
	cr_assert_eq(s2.pt.leaves[1], 0);
	cr_assert_eq(pages_mapped(0, SMALL), (SMALL - 2 * BLOCK) / PAGE_SIZE);
	cr_assert_eq(stage2_map(&s2, gpa_init(BLOCK), 2 * BLOCK, &g), 0);
	cr_assert_eq(s2.pt.leaves[2], SMALL / PAGE_2M);
}

/* Ranges that are not whole pages of one region are refused and change nothing. */
Test(stage2, bad_ranges)
{
	const struct {
		uint64_t gpa, size;
	} bad[] = {
	    {0, 0},
	    {1, PAGE_SIZE},
	    {0, PAGE_SIZE + 1},
	    {SMALL, PAGE_SIZE},
	    {SMALL - PAGE_SIZE, 2 * PAGE_SIZE},
	    {~0ull & PAGE_MASK, PAGE_SIZE},
	    {PAGE_SIZE, ~0ull & PAGE_MASK},
	    {0, 1ull << 63},
	};
	const uint64_t before = (make(SMALL), tree_sum(&s2.pt));

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		cr_assert_eq(stage2_unmap(&s2, gpa_init(bad[i].gpa), bad[i].size, &g), -EINVAL, "%zu", i);
		cr_assert_eq(stage2_map(&s2, gpa_init(bad[i].gpa), bad[i].size, &g), -EINVAL, "%zu", i);
	}
	cr_assert_eq(tree_sum(&s2.pt), before);
	cr_assert_not(g.due);
}

/* A copy that crosses frames far apart is whole; one that meets a hole copies nothing. */
Test(stage2, read_across_pages)
{
	const uint64_t at = SMALL / 2 - 4;
	uint8_t out[8], untouched[8];

	make(SMALL);
	memcpy(ptr(at, 8), "abcdefgh", 8);
	cr_assert_eq(stage2_split(&s2, gpa_init(at), &g), 0);
	cr_assert_eq(stage2_read(&s2, gpa_init(at), out, 8), 0);
	cr_assert_arr_eq(out, "abcdefgh", 8);
	cr_assert_eq(stage2_unmap(&s2, gpa_init(SMALL / 2), PAGE_SIZE, &g), 0);
	memset(out, 0x11, sizeof(out));
	memcpy(untouched, out, sizeof(out));
	cr_assert_eq(stage2_read(&s2, gpa_init(at), out, 8), -EFAULT);
	cr_assert_arr_eq(out, untouched, 8);
	cr_assert_eq(stage2_read(&s2, gpa_init(at), out, 4), 0);
}

static void count_line(void *ctx, const char *line)
{
	unsigned *nr = ctx;

	++*nr;
}

/* The dump has a line a run: before, between and behind a slice that is gone. */
Test(stage2, dump)
{
	unsigned lines = 0;

	make(SMALL);
	stage2_dump(&s2, count_line, &lines);
	cr_assert_eq(lines, 1);
	cr_assert_eq(stage2_unmap(&s2, gpa_init(BLOCK + SLICE), SLICE, &g), 0);
	lines = 0;
	stage2_dump(&s2, count_line, &lines);
	cr_assert_eq(lines, 4, "2M, 4K, 4K, 2M");
}

/* The audit sees a page that leads to a frame that is not its own. */
Test(stage2, audit_finds_a_wrong_frame)
{
	struct pt_violation v;

	make(SMALL);
	cr_assert_eq(pt_map(&s2.pt, BLOCK, PAGE_SIZE, 0x3000, PT_RWX, 1, &g), 0);
	cr_assert_eq(stage2_audit(&s2, &v), -EBADMSG);
	cr_assert_eq(v.va, BLOCK);
	cr_assert_eq(stage2_map(&s2, gpa_init(BLOCK), PAGE_SIZE, &g), 0);
	cr_assert_eq(pt_map(&s2.pt, GNOMON_MMIO_BASE, PAGE_SIZE, 0x3000, PT_RWX, 1, &g), 0);
	cr_assert_eq(stage2_audit(&s2, &v), -EBADMSG);
	cr_assert_eq(v.va, GNOMON_MMIO_BASE);
	cr_assert_eq(pt_zap(&s2.pt, GNOMON_MMIO_BASE, PAGE_SIZE, &g), 0);
}
