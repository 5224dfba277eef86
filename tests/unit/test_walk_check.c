/* SPDX-License-Identifier: MIT */
/*
 * References of walks with checks, counted through three stages that really stand: random addresses, tables in random
 * frames, a third stage of each depth. The formulas of walk.h must come out, and with a cache what can be said of LRU.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "enclave/stage.h"
#include "model/walk.h"
#include "model/walk_check.h"
#include "pgtable/ept.h"

#define FRAMES 8192
#define TABLES 2048
#define NEAR   0x7f0000200000ull /* 512 pages in one leaf table */

static struct enclave_stage s3;
static struct pt s1, s2;
static struct pt_table s1_table[TABLES], s2_table[TABLES];
static unsigned s1_tables, s2_tables, frames_used, gpas_used;
static struct walk_check w;
static struct walk_cache cache;

/* An odd factor goes through all frames before it comes back. */
static uint64_t new_frame(void)
{
	const uint64_t frame = frames_used++ * 2741ull % FRAMES * PAGE_SIZE;

	cr_assert_leq(frames_used, FRAMES);
	cr_assert_eq(enclave_stage_assign(&s3, maddr_init(frame), 1, &(struct enclave_frame){.owner = 1}), 0);
	return frame;
}

/* `pages` of guest physical memory in a row, somewhere, each in a frame of its own. */
static uint64_t new_gpa(unsigned pages)
{
	const uint64_t gpa = ++gpas_used * 0x9e3779b1ull % (1ull << 25) * PAGE_2M;
	struct pt_gather g = PT_GATHER_INIT;

	for (unsigned i = 0; i < pages; i++)
		cr_assert_eq(pt_map(&s2, gpa + i * PAGE_SIZE, PAGE_SIZE, new_frame(), PT_RWX, 1, &g), 0);
	pt_gather_finish(&s2, &g);
	return gpa;
}

static struct pt_table *s1_alloc(void *ctx)
{
	struct pt_table *t = &s1_table[s1_tables++];

	t->address = w.second ? new_gpa(1) : new_frame();
	t->entry = calloc(512, sizeof(*t->entry));
	return t;
}

static struct pt_table *s2_alloc(void *ctx)
{
	struct pt_table *t = &s2_table[s2_tables++];

	t->address = new_frame();
	t->entry = calloc(512, sizeof(*t->entry));
	return t;
}

static void no_free(void *ctx, struct pt_table *table)
{
}

static struct pt_table *find(struct pt_table *tables, unsigned nr, uint64_t address)
{
	for (unsigned i = 0; i < nr; i++)
		if (tables[i].address == address)
			return &tables[i];
	return NULL;
}

static struct pt_table *s1_find(void *ctx, uint64_t address)
{
	return find(s1_table, s1_tables, address);
}

static struct pt_table *s2_find(void *ctx, uint64_t address)
{
	return find(s2_table, s2_tables, address);
}

static const struct pt_ops s1_ops = {.alloc = s1_alloc, .free = no_free, .find = s1_find};
static const struct pt_ops s2_ops = {.alloc = s2_alloc, .free = no_free, .find = s2_find};

static bool entry(void *ctx, uint64_t at, uint64_t *ret_entry)
{
	const struct pt_table *t = s1_find(NULL, at & PAGE_MASK);

	if (t)
		*ret_entry = t->entry[at % PAGE_SIZE / 8];
	return t;
}

static bool second(void *ctx, uint64_t at, struct walk_second *ret)
{
	struct pt_iter it;

	ret->nr = 0;
	pt_for_each (&it, &s2, at, at, 1) {
		ret->at[ret->nr++] = it.path[it.level]->address + pt_index(&pt_ept, at, it.level) * 8;
		ret->maddr = pt_ept.address(it.old, it.level) + at % PAGE_SIZE;
	}
	return it.level == 1 && pt_ept.is_leaf(it.old, 1);
}

static bool check(void *ctx, uint64_t maddr, unsigned *ret_reads)
{
	return enclave_stage_check(&s3, maddr_init(maddr), ret_reads);
}

static void begin(int levels, bool has_second, enum walk_reading reading)
{
	s1_tables = s2_tables = frames_used = gpas_used = 0;
	w = (struct walk_check){.reading = reading, .second = has_second ? second : NULL, .check = check};
	cache = (struct walk_cache){.size = 0};
	cr_assert_eq(enclave_stage_init(&s3, FRAMES, levels), 0);
	cr_assert_eq(pt_init(&s2, &pt_ept, &s2_ops, NULL), 0);
	cr_assert_eq(pt_init(&s1, &pt_x86_64, &s1_ops, NULL), 0);
	w.tables = (struct walk_tables){.root = s1.root->address, .levels = 4, .entry = entry};
}

static void end(void)
{
	for (unsigned i = 0; i < s1_tables; i++)
		free(s1_table[i].entry);
	for (unsigned i = 0; i < s2_tables; i++)
		free(s2_table[i].entry);
	enclave_stage_destroy(&s3);
}

static void map(uint64_t va, uint64_t size, int level)
{
	struct pt_gather g = PT_GATHER_INIT;
	const uint64_t to = w.second ? new_gpa(size / PAGE_SIZE) : new_frame();

	cr_assert_eq(pt_map(&s1, va, size, to, PT_R | PT_W | PT_U, level, &g), 0);
	pt_gather_finish(&s1, &g);
}

static struct walk_check_refs count(uint64_t va, uint64_t pages)
{
	struct walk_check_refs refs;

	walk_check_count(&w, &cache, va, pages * PAGE_SIZE, &refs);
	cr_assert_eq(refs.pages, pages);
	return refs;
}

static void expect_all(uint64_t va, unsigned want)
{
	const struct walk_check_refs refs = count(va, 1);

	cr_expect(refs.low == want && refs.high == want && refs.sum == want, "%u to %u, not %u", refs.low, refs.high,
	          want);
}

static const int depths[] = {1, 2, 4};

/* 29, 34 and 44; 49, 74 and 124: at random addresses, and with a larger leaf. */
Test(walk_check, three_dimensions)
{
	cr_assert_eq(walk_refs_3d_once(4, 4, 4), 44);
	cr_assert_eq(walk_refs_3d_every(4, 4, 4), 124);
	for (int i = 0; i < 6; i++) {
		const int le = depths[i / 2];
		const enum walk_reading reading = i % 2;
		unsigned (*want)(int, int, int) = reading == WALK_CHECK_ONCE ? walk_refs_3d_once : walk_refs_3d_every;
		uint64_t va = 1;

		begin(le, true, reading);
		for (int n = 0; n < 100; n++) {
			va = va * 6364136223846793005ull + 1442695040888963407ull;
			map(va >> 17 & PAGE_MASK, PAGE_SIZE, 1);
			expect_all(va >> 17 & PAGE_MASK, want(4, 4, le));
		}
		map(NEAR, PAGE_2M, 2);
		expect_all(NEAR + 77 * PAGE_SIZE, want(3, 4, le));
		end();
	}
}

/* Without a second stage, both readings are the same. */
Test(walk_check, composed)
{
	for (int i = 0; i < 6; i++) {
		begin(depths[i / 2], false, i % 2);
		map(NEAR, PAGE_SIZE, 1);
		expect_all(NEAR, 4 + 5 * depths[i / 2]);
		end();
	}
}

/*
 * Sweeps over k pages of one leaf table, once each: 4 frames of tables are always in the cache, and the data's are if
 * all fit beside them.
 */
Test(walk_check, cache_in_steady_state)
{
	static const unsigned sizes[] = {16, 64, 256};

	for (int i = 0; i < 9; i++) {
		const unsigned size = sizes[i % 3], fits = size - 4;
		struct walk_check_refs refs;

		begin(depths[i / 3], true, WALK_CHECK_ONCE);
		map(NEAR, PAGE_2M, 1);
		cache.size = size;
		(void)count(NEAR, fits);
		refs = count(NEAR, fits);
		cr_expect_eq(refs.sum, 24 * fits);
		cr_expect_eq(refs.hits, refs.checks);
		cr_expect_eq(refs.checks, 5 * fits);
		cache.used = 0;
		(void)count(NEAR, fits + 1);
		refs = count(NEAR, fits + 1);
		cr_expect_eq(refs.sum, (24 + depths[i / 3]) * (fits + 1));
		cr_expect_eq(refs.walked, 24 * (fits + 1));
		cr_expect_eq(refs.checks - refs.hits, fits + 1);
		end();
	}
}

/* A page whose frame nobody owns, or of a table, is none that can be reached; neither is one that is not mapped. */
Test(walk_check, refused)
{
	struct walk_check_refs refs;
	struct walk_second to;

	begin(2, true, WALK_CHECK_EVERY);
	map(NEAR, 4 * PAGE_SIZE, 1);
	cr_assert(second(NULL, s1.root->address, &to));
	walk_check_count(&w, &cache, NEAR, 8 * PAGE_SIZE, &refs);
	cr_expect_eq(refs.pages, 4);
	cr_expect_eq(refs.checks, 4 * 25);
	enclave_stage_release(&s3, maddr_init(to.maddr), PAGE_SIZE);
	walk_check_count(&w, &cache, NEAR, 8 * PAGE_SIZE, &refs);
	cr_expect_eq(refs.pages, 0);
	cr_expect_eq(refs.checks, 0);
	cr_expect_eq(refs.low, 0);
	end();
}
