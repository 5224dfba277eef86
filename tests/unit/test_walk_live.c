/* SPDX-License-Identifier: MIT */
/*
 * References of walks through tables that are there, against counts known by construction: each page size in the guest
 * and below it, and mixtures. A wrong one would make a measured count look like a miracle.
 */
#include <criterion/criterion.h>
#include <gnomon/addr.h>
#include <gnomon/x86.h>
#include <string.h>

#include "model/walk_live.h"

#define TABLES     8
#define TABLE(n)   ((n)*PAGE_SIZE + 0x100000)
#define DATA       0x40000000ull /* where data lie, at least */
#define EVERYTHING UINT64_MAX

/* Tables at TABLE(n), and up to 4 leaves of the second stage: the first that holds an address counts. */
static uint64_t table[TABLES][512];
static struct rule {
	uint64_t first, end;
	struct walk_leaf leaf;
} rules[4];

static bool entry(void *ctx, uint64_t at, uint64_t *ret_entry)
{
	const uint64_t n = (at - TABLE(0)) / PAGE_SIZE;

	if (n >= TABLES)
		return false;
	*ret_entry = table[n][at % PAGE_SIZE / 8];
	return true;
}

static void leaf(void *ctx, uint64_t at, struct walk_leaf *ret_leaf)
{
	const struct rule *r = rules;

	while (at < r->first || at > r->end)
		r++;
	*ret_leaf = r->leaf;
}

static struct walk_live live;

static void setup(void)
{
	memset(table, 0, sizeof(table));
	live = (struct walk_live){.root = TABLE(0), .levels = 4, .second = 4, .entry = entry, .leaf = leaf};
}

TestSuite(walk_live, .init = setup);

/* Tables 0, 1, 2 (and 3) lead to a leaf of `level` for address 0, and all its neighbours. */
static void map(int level)
{
	for (int n = 0; n < 4 - level; n++)
		table[n][0] = TABLE(n + 1) | PTE_P | PTE_W;
	for (unsigned i = 0; i < 512; i++)
		table[4 - level][i] = (DATA + i * (PAGE_SIZE << 9 * (level - 1))) | PTE_P | (level > 1 ? PTE_PS : 0);
}

static void second(int smallest, int largest)
{
	rules[0] = (struct rule){0, EVERYTHING, {smallest, largest}};
}

static void expect(uint64_t bytes, unsigned low, unsigned high, uint64_t pages)
{
	struct walk_refs refs;

	walk_live_count(&live, 0, bytes, &refs);
	cr_expect_eq(refs.low, low, "%u, not %u", refs.low, low);
	cr_expect_eq(refs.high, high, "%u, not %u", refs.high, high);
	cr_expect_eq(refs.pages, pages, "%llu pages", (unsigned long long)refs.pages);
}

/* The published counts, and those with large leaves on either side. */
Test(walk_live, two_dimensions)
{
	static const unsigned want[4][4] = {[1] = {0, 24, 19, 14}, [2] = {0, 19, 15, 11}, [3] = {0, 14, 11, 8}};

	for (int guest = 1; guest <= 3; guest++)
		for (int host = 1; host <= 3; host++) {
			setup();
			map(guest);
			second(host, host);
			expect(1, want[guest][host], want[guest][host], 1);
		}
}

/* What a hypervisor composes has the smaller leaf of both. */
Test(walk_live, composed)
{
	live.second = 0;
	for (int guest = 1; guest <= 3; guest++)
		for (int host = 1; host <= 3; host++) {
			setup();
			live.second = 0;
			map(guest);
			second(host, host);
			expect(1, 5 - (guest < host ? guest : host), 5 - (guest < host ? guest : host), 1);
		}
}

/* Five levels in the guest, below it, and both. */
Test(walk_live, five_levels)
{
	map(1);
	second(1, 1);
	live.second = 5;
	expect(1, 29, 29, 1);
	setup();
	for (int n = 0; n < 4; n++)
		table[n][0] = TABLE(n + 1) | PTE_P;
	table[4][0] = DATA | PTE_P;
	live.levels = 5;
	expect(1, 29, 29, 1);
	live.second = 5;
	expect(1, 35, 35, 1);
}

/* Two of four tables in memory that is mapped by 4 KiB, the rest by 2 MiB: 2 more than 19. */
Test(walk_live, tables_in_small_pages)
{
	map(1);
	rules[0] = (struct rule){TABLE(0), TABLE(2) - 1, {1, 1}};
	rules[1] = (struct rule){0, EVERYTHING, {2, 2}};
	expect(PAGE_SIZE, 21, 21, 1);
}

/* Data in both sizes: the range is over the pages, and the sums say how many have which. */
Test(walk_live, data_in_both_sizes)
{
	struct walk_refs refs;

	map(1);
	rules[0] = (struct rule){DATA, DATA + 100 * PAGE_SIZE - 1, {1, 1}};
	rules[1] = (struct rule){0, EVERYTHING, {2, 2}};
	walk_live_count(&live, 0, PAGE_2M, &refs);
	cr_expect_eq(refs.low, 19);
	cr_expect_eq(refs.high, 20);
	cr_expect_eq(refs.sum_low, 412 * 19 + 100 * 20);
	cr_expect_eq(refs.sum_high, refs.sum_low);
}

/* A large guest page on memory of both sizes: each 4 KiB has its own leaf below. */
Test(walk_live, large_page_on_small_ones)
{
	map(2);
	rules[0] = (struct rule){DATA + PAGE_SIZE, DATA + 2 * PAGE_SIZE - 1, {1, 1}};
	rules[1] = (struct rule){0, EVERYTHING, {2, 2}};
	expect(2 * PAGE_SIZE, 15, 16, 2);
}

/* Where the host does not say: from all large to all small. */
Test(walk_live, not_said)
{
	struct walk_refs refs;

	map(1);
	second(1, 2);
	walk_live_count(&live, 0, 2 * PAGE_SIZE, &refs);
	cr_expect_eq(refs.low, 19);
	cr_expect_eq(refs.high, 24);
	cr_expect_eq(refs.sum_low, 2 * 19);
	cr_expect_eq(refs.sum_high, 2 * 24);
	live.second = 0;
	expect(PAGE_SIZE, 4, 4, 1);
}

/* Not mapped at any level, a table outside memory, a table that is its own: none counts, and none hangs. */
Test(walk_live, not_mapped)
{
	second(1, 1);
	expect(16 * PAGE_SIZE, 0, 0, 0);
	map(1);
	table[3][1] = 0;
	expect(3 * PAGE_SIZE, 24, 24, 2);
	table[2][0] = 0xfffffff000 | PTE_P;
	expect(3 * PAGE_SIZE, 0, 0, 0);
	table[0][0] = TABLE(0) | PTE_P;
	expect(PAGE_SIZE, 24, 24, 1);
}

/* Pages that have a byte of the range; the ends of the address space; addresses that are none. */
Test(walk_live, ranges)
{
	struct walk_refs refs;

	map(1);
	second(1, 1);
	expect(0, 0, 0, 0);
	walk_live_count(&live, PAGE_SIZE - 1, 2, &refs);
	cr_expect_eq(refs.pages, 2);
	walk_live_count(&live, UINT64_MAX, 1, &refs);
	cr_expect_eq(refs.pages, 0);
	table[0][511] = TABLE(1) | PTE_P;
	table[1][511] = TABLE(2) | PTE_P;
	table[2][511] = TABLE(3) | PTE_P;
	walk_live_count(&live, UINT64_MAX, 1, &refs);
	cr_expect_eq(refs.pages, 1);
	walk_live_count(&live, 1ull << 48, PAGE_SIZE, &refs);
	cr_expect_eq(refs.pages, 0, "not canonical");
}
