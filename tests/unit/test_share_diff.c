/* SPDX-License-Identifier: MIT */
/* The descent in two fingerprints: it finds the pages that differ, and asks for no more than these need. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "share/descent.h"
#include "share/fingerprint.h"
#include "stage2_machine.h"

#define PAGES (SMALL / PAGE_SIZE)

struct side {
	struct fingerprint *f;
	unsigned fail_after; /* questions; 0: never */
};

static int hashes(void *ctx, int level, uint64_t first, unsigned count, struct share_digest *ret)
{
	struct side *s = ctx;

	if (s->fail_after && --s->fail_after == 0)
		return -ESTALE;
	for (unsigned i = 0; i < count; i++)
		ret[i] = share_tree_get(&s->f->tree, level, first + i);
	return 0;
}

static struct fingerprint *look(void)
{
	static const uint8_t key[SHARE_KEY] = "one for both";
	struct fingerprint *f;

	cr_assert_eq(fingerprint_create(SHARE_BLAKE2B, key, SMALL, &f), 0);
	fingerprint_begin(f);
	cr_assert(fingerprint_work(f, &s2, UINT64_MAX));
	return f;
}

static uint8_t found[PAGES];

static void mark(void *ctx, uint64_t page, uint64_t pages)
{
	memset(found + page, 1, pages);
}

/* Makes k pages differ at random and compares. */
static void expect_found(unsigned k, unsigned seed)
{
	uint8_t *memory = ptr(0, SMALL), changed[PAGES] = {0};
	struct side a = {.f = look()}, b;
	struct descent_result r;
	uint64_t ranges = 0;

	for (unsigned i = 0; i < k;) {
		const unsigned page = k == PAGES ? i : rand_r(&seed) % PAGES;

		i += !changed[page];
		memory[page * PAGE_SIZE + 17] += !changed[page];
		changed[page] = 1;
	}
	for (unsigned i = 0; i < PAGES; i++)
		ranges += changed[i] && (i == 0 || !changed[i - 1]);
	b.f = look();
	b.fail_after = 0;
	memset(found, 0, sizeof(found));
	cr_assert_eq(descent_run(&(struct descent_side){hashes, &a, PAGES}, &(struct descent_side){hashes, &b, PAGES},
	                         mark, NULL, &r),
	             0);
	cr_assert_arr_eq(found, changed, sizeof(changed), "%u pages", k);
	cr_assert_eq(r.pages, k);
	cr_assert_eq(r.ranges, ranges);
	cr_assert_leq(r.comparisons, k ? 4ull * 512 * k : 1);
	cr_assert_eq(r.hashes, r.comparisons);
	fingerprint_destroy(a.f);
	fingerprint_destroy(b.f);
}

Test(stage2, descent_finds_k_pages)
{
	make(SMALL);
	memset(ptr(0, SMALL / 2), 0x5a, SMALL / 2);
	for (unsigned k = 0; k <= 100; k = k * 2 + 1)
		expect_found(k, k + 1);
	expect_found(PAGES, 0);
}

/* Whatever a side fails at, the descent ends with it and tells of no result. */
Test(stage2, descent_ends_with_an_error)
{
	struct side a, b;
	struct descent_result r = {.comparisons = 42};

	make(SMALL);
	a = (struct side){.f = look()};
	memset(ptr(0, PAGE_SIZE), 1, PAGE_SIZE);
	b = (struct side){.f = look()};
	for (unsigned n = 1; n <= 5; n++) {
		b.fail_after = n;
		cr_assert_eq(descent_run(&(struct descent_side){hashes, &a, PAGES},
		                         &(struct descent_side){hashes, &b, PAGES}, NULL, NULL, &r),
		             -ESTALE);
		cr_assert_eq(r.comparisons, 42);
	}
	b.fail_after = 6;
	cr_assert_eq(descent_run(&(struct descent_side){hashes, &a, PAGES}, &(struct descent_side){hashes, &b, PAGES},
	                         NULL, NULL, &r),
	             0);
	cr_assert_eq(r.comparisons, 1 + 1 + 1 + SMALL / (2ull << 20) + 512, "nothing past the end of memory");
	fingerprint_destroy(a.f);
	fingerprint_destroy(b.f);
}

/* Memories of unequal size differ behind the end of the shorter one, and a page of the longer one there is found. */
Test(stage2, descent_goes_to_the_longer_end)
{
	struct side a, b;
	struct descent_result r;

	make(SMALL);
	a = (struct side){.f = look()};
	*(uint8_t *)ptr(SMALL - PAGE_SIZE, 1) = 1;
	b = (struct side){.f = look()};
	for (int swapped = 0; swapped < 2; swapped++) {
		const struct descent_side shorter = {hashes, &a, PAGES - 512}, longer = {hashes, &b, PAGES};

		memset(found, 0, sizeof(found));
		cr_assert_eq(descent_run(swapped ? &longer : &shorter, swapped ? &shorter : &longer, mark, NULL, &r),
		             0);
		cr_expect_eq(r.pages, 1u);
		cr_expect(found[PAGES - 1]);
	}
	fingerprint_destroy(a.f);
	fingerprint_destroy(b.f);
}
