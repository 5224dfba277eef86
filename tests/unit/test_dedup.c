/* SPDX-License-Identifier: MIT */
/* What guests have in common: the descent in several trees, the groups that it finds, and the ranges that come of them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "share/dedup_places.h"
#include "share/fingerprint.h"
#include "stage2_machine.h"

#define PAGES  (SMALL / PAGE_SIZE)
#define GUESTS 3

static const uint8_t key[SHARE_KEY] = "one for all";
static struct fingerprint *tree[GUESTS];
static struct descent_side guest[GUESTS];
static struct dedup_pieces pieces;
static struct dedup_places places;
static struct dedup_plan plan;
static unsigned fail_after; /* questions; 0: never */

static int hashes(void *ctx, int level, uint64_t first, unsigned count, struct share_digest *ret)
{
	const struct fingerprint *f = *(struct fingerprint **)ctx;

	if (fail_after && --fail_after == 0)
		return -ESTALE;
	for (unsigned i = 0; i < count; i++)
		ret[i] = share_tree_get(&f->tree, level, first + i);
	return 0;
}

/* The guest's memory is as the machine's is now. */
static void look(unsigned i)
{
	cr_assert_eq(fingerprint_create(SHARE_BLAKE2B, key, SMALL, &tree[i]), 0);
	fingerprint_begin(tree[i]);
	cr_assert(fingerprint_work(tree[i], &s2, UINT64_MAX));
	guest[i] = (struct descent_side){hashes, &tree[i], PAGES};
}

static void fill(void)
{
	uint8_t *memory = ptr(0, SMALL);

	for (unsigned i = 0; i < PAGES; i++)
		memset(memory + i * PAGE_SIZE, 1, PAGE_SIZE), memcpy(memory + i * PAGE_SIZE, &i, sizeof(i));
}

static int find(unsigned n, int level)
{
	return dedup_find(guest, n, &tree[0]->hash, level, &pieces);
}

static void make_plan(int level)
{
	cr_assert_eq(dedup_plan(&pieces, &places, level, &plan), 0);
}

static void setup(void)
{
	make(SMALL);
	fill();
}

static void teardown(void)
{
	dedup_plan_free(&plan);
	dedup_places_free(&places);
	dedup_pieces_free(&pieces);
	for (unsigned i = 0; i < GUESTS; i++)
		fingerprint_destroy(tree[i]);
	guest_mem_destroy(&mem);
	stage2_destroy(&s2);
}

TestSuite(dedup, .init = setup, .fini = teardown);

/* Nobody is asked for more than the root, and all of memory is one range. */
Test(dedup, guests_that_are_equal)
{
	for (unsigned i = 0; i < GUESTS; i++)
		look(i);
	cr_assert_eq(find(GUESTS, 0), 0);
	cr_expect_eq(pieces.hashes, GUESTS);
	cr_expect_eq(pieces.comparisons, GUESTS - 1);
	cr_expect_eq(pieces.nr, GUESTS);
	make_plan(0);
	cr_assert_eq(plan.nr_give, 1u);
	cr_assert_eq(plan.nr_take, GUESTS);
	cr_expect_eq(plan.give[0].pages, PAGES);
	cr_expect_eq(plan.store_pages[0], PAGES);
	for (unsigned i = 0; i < GUESTS; i++) {
		cr_expect_eq(plan.take[i].guest, i);
		cr_expect_eq(plan.take[i].store, 0);
		cr_expect_eq(plan.take[i].pages, PAGES);
	}
}

/* One page of one guest differs: only the nodes above are asked for, and only of a guest for each hash. */
Test(dedup, a_page_that_differs)
{
	look(0);
	look(1);
	((uint8_t *)ptr(0, SMALL))[700 * PAGE_SIZE + 99] ^= 0xff;
	look(2);
	cr_assert_eq(find(GUESTS, 0), 0);
	cr_expect_eq(pieces.hashes, GUESTS + 2 * 4 * 512, "%llu", (unsigned long long)pieces.hashes);
	make_plan(0);
	for (size_t i = 0; i < plan.nr_take; i++)
		if (plan.take[i].guest == 2)
			cr_expect(plan.take[i].page > 700 || plan.take[i].page + plan.take[i].pages <= 700);
	cr_expect_eq(plan.nr_give, 1u, "%zu", plan.nr_give);
	cr_expect_eq(plan.nr_take, 4u, "%zu", plan.nr_take); /* of the guest that differs, what is before and behind */
}

/* What is equal is found wherever it lies, also twice in one guest. */
Test(dedup, at_another_place)
{
	uint8_t *memory = ptr(0, SMALL);
	bool found = false;

	look(0);
	memmove(memory + PAGE_SIZE, memory, 100 * PAGE_SIZE);
	look(1);
	cr_assert_eq(find(2, 0), 0);
	make_plan(0);
	for (size_t i = 0; i < plan.nr_take; i++)
		found |= plan.take[i].guest == 1 && plan.take[i].page == 1 && plan.take[i].pages >= 100 &&
		         plan.take[i].offset == 0;
	cr_expect(found);
}

/* Zeroes are no group: they are told of by themselves, in rows. */
Test(dedup, zeroes)
{
	memset(ptr(0, SMALL), 0, SMALL);
	look(0);
	((uint8_t *)ptr(0, SMALL))[5 * PAGE_SIZE] = 1;
	look(1);
	cr_assert_eq(find(2, 0), 0);
	make_plan(0);
	cr_expect_eq(plan.nr_take, 0u);
	cr_expect_eq(pieces.nr_zero, 3u);
	cr_expect_eq(pieces.zero[0].pages, PAGES);
	cr_expect_eq(pieces.zero[1].pages, 5);
	cr_expect_eq(pieces.zero[2].page, 6);
}

static void flip(unsigned page)
{
	((uint8_t *)ptr(0, SMALL))[page * PAGE_SIZE + 99] ^= 0xff;
}

static void look_again(unsigned i)
{
	fingerprint_destroy(tree[i]);
	look(i);
}

static bool is_taken(uint64_t page)
{
	for (size_t i = 0; i < plan.nr_take; i++)
		if (page - plan.take[i].page < plan.take[i].pages)
			return true;
	return false;
}

/* Both guests have another page 700 than in the look before, and the same one: it will have changed again. */
Test(dedup, what_changes_all_the_time)
{
	struct dedup_pieces before;

	look(0);
	flip(600); /* so that pages are looked at there */
	look(1);
	cr_assert_eq(find(2, 0), 0);
	before = pieces;
	flip(700);
	look_again(1);
	flip(600);
	look_again(0);
	cr_assert_eq(find(2, 0), 0);
	dedup_keep_stable(&pieces, &before);
	dedup_pieces_free(&before);
	make_plan(0);
	cr_expect(is_taken(100) && is_taken(599) && is_taken(699) && is_taken(701));
	cr_expect_not(is_taken(600) || is_taken(700));
}

/* Memory in pages of 2 MiB is looked at by those. */
Test(dedup, by_2_mib)
{
	look(0);
	((uint8_t *)ptr(0, SMALL))[700 * PAGE_SIZE + 99] ^= 0xff;
	look(1);
	cr_assert_eq(find(2, 1), 0);
	make_plan(1);
	for (size_t i = 0; i < plan.nr_take; i++)
		cr_expect((plan.take[i].page | plan.take[i].pages | plan.take[i].offset) % 512 == 0);
	cr_expect_eq(plan.nr_give, 2u);
}

/* What lies in one place already is left alone; what a guest wrote since is not. */
Test(dedup, merged_before)
{
	look(0);
	look(1);
	cr_assert_eq(find(2, 0), 0);
	for (unsigned i = 0; i < 2; i++) {
		cr_assert_eq(dedup_places_begin(&places, i, PAGES), 0);
		dedup_places_add(&places, i, 0, PAGES + 7, 77, 5);
	}
	make_plan(0);
	cr_expect_eq(plan.nr_take, 0u);
	dedup_plan_free(&plan);
	dedup_places_add(&places, 1, 10, 2, 0, 0);
	dedup_places_add(&places, 0, 20, 1, 78, 25); /* another store's */
	make_plan(0);
	cr_expect_eq(plan.nr_give, 2u);
	cr_expect_eq(plan.nr_take, 4u);
}

/* Whose answer failed is known, and a guest that takes no part is not asked. */
Test(dedup, a_guest_that_fails)
{
	look(0);
	look(1);
	look(2);
	guest[0].pages = 0;
	fail_after = 2;
	cr_expect_eq(find(GUESTS, 0), -ESTALE);
	cr_expect_eq(pieces.failed, 2);
}
