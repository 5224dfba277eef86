/* SPDX-License-Identifier: MIT */
/*
 * Fingerprints of guest memory. What is protected here: whatever was written, mapped or taken, and in whichever order it
 * was hashed, the root is that of a plain recursive hash of all memory (share_oracle.h). test_share_diff.c: descent.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "mem/touched.h"
#include "share_oracle.h"
#include "stage2_machine.h"
#include "walk/guest_walk.h"

#define PAGES (SMALL / PAGE_SIZE)
#define WORDS (PAGES / 64)

static const uint8_t key[SHARE_KEY] = "thirty-two bytes of a known key";

static struct fingerprint *make_fingerprint(enum share_algorithm algorithm)
{
	struct fingerprint *f;

	cr_assert_eq(fingerprint_create(algorithm, key, SMALL, &f), 0);
	return f;
}

/* A round in steps of `step` pages. */
static void update(struct fingerprint *f, uint64_t step)
{
	fingerprint_begin(f);
	while (!fingerprint_work(f, &s2, step))
		;
}

static struct share_digest root(const struct fingerprint *f)
{
	return share_tree_get(&f->tree, SHARE_LEVELS, 0);
}

static void expect_right(const struct fingerprint *f)
{
	const struct oracle o = oracle_make(f->hash.algorithm, key);
	const struct share_digest want = oracle_node(&o, &s2, SHARE_LEVELS, 0, PAGES), got = root(f);

	cr_assert(share_digest_equal(&want, &got));
}

static void fill(uint64_t gpa, uint64_t size, uint64_t what)
{
	uint64_t *word = ptr(gpa, size);

	for (uint64_t i = 0; i < size / 8; i++)
		word[i] = (i + 1) * what;
}

static void change_rights(uint64_t gpa, uint64_t size, pt_attrs_t clear)
{
	cr_assert_eq(pt_protect(&s2.pt, gpa, size, 0, clear, &g), 0);
}

/* A page is taken or given back zeroed, which notes itself; or it is written or loses a right, which is noted here. */
static void change_at_random(unsigned *seed)
{
	const uint64_t gpa = rand_r(seed) % PAGES * PAGE_SIZE;
	uint8_t *page = ptr(gpa, PAGE_SIZE);
	const int what = page ? rand_r(seed) % 5 : -1;

	if (what <= 0) {
		cr_assert_eq((page ? stage2_unmap : stage2_map)(&s2, gpa_init(gpa), PAGE_SIZE, &g), 0);
		pt_gather_finish(&s2.pt, &g);
		return;
	}
	if (what == 1)
		memset(page, 0, PAGE_SIZE);
	else if (what == 2)
		change_rights(gpa, PAGE_SIZE, PT_X);
	else
		page[rand_r(seed) % PAGE_SIZE]++;
	written_note(&s2.written, gpa_init(gpa), 1);
}

static void random_changes(enum share_algorithm algorithm, unsigned seed)
{
	struct fingerprint *f = make_fingerprint(algorithm);
	uint64_t due[WORDS];

	cr_assert_eq(written_begin(&s2.written, SMALL), 0);
	fill(PAGE_SIZE, 3 << 20, seed);
	for (int round = 0; round < 12; round++) {
		const unsigned changes = rand_r(&seed) % 40;

		for (unsigned i = 0; i < changes; i++)
			change_at_random(&seed);
		memset(due, 0, sizeof(due));
		written_take(&s2.written, due);
		fingerprint_due(f, due);
		update(f, 1 + rand_r(&seed) % 600);
		expect_right(f);
		cr_assert(round == 0 || f->round.pages <= changes);
	}
	fingerprint_destroy(f);
}

Test(stage2, fingerprint_after_random_changes)
{
	make(SMALL);
	random_changes(SHARE_BLAKE2B, 1);
}

Test(stage2, fingerprint_after_random_changes_xxh3)
{
	make(SMALL);
	random_changes(SHARE_XXH3, 2);
}

/* Equal subtrees have equal hashes wherever they lie, and by whatever pages they are mapped. */
Test(stage2, fingerprint_has_no_addresses)
{
	struct fingerprint *f = make_fingerprint(SHARE_BLAKE2B);
	struct share_digest a, b;

	make(SMALL);
	fill(BLOCK, BLOCK, 7);
	fill(3 * BLOCK, BLOCK, 7);
	cr_assert_eq(stage2_split(&s2, gpa_init(3 * BLOCK), &g), 0);
	update(f, PAGES);
	a = share_tree_get(&f->tree, 1, 1);
	b = share_tree_get(&f->tree, 1, 3);
	cr_assert(share_digest_equal(&a, &b));
	a = share_tree_get(&f->tree, 1, 0);
	cr_assert_not(share_digest_equal(&a, &b));
	expect_right(f);
	fingerprint_destroy(f);
}

/* Without W a page of the same content is another one, zeroes included; and an absent page is no page of zeroes. */
Test(stage2, fingerprint_has_rights)
{
	struct fingerprint *f = make_fingerprint(SHARE_BLAKE2B);
	struct share_digest seen[5];

	make(SMALL);
	fill(0, PAGE_SIZE, 3);
	fill(PAGE_SIZE, PAGE_SIZE, 3);
	change_rights(PAGE_SIZE, 2 * PAGE_SIZE, PT_W);
	cr_assert_eq(stage2_unmap(&s2, gpa_init(4 * PAGE_SIZE), PAGE_SIZE, &g), 0);
	update(f, PAGES);
	for (unsigned i = 0; i < 5; i++)
		seen[i] = share_tree_get(&f->tree, 0, i); /* RWX, RX; zero RX, zero RWX; absent */
	for (unsigned i = 0; i < 5; i++)
		for (unsigned j = 0; j < i; j++)
			cr_assert_not(share_digest_equal(&seen[i], &seen[j]), "pages %u and %u", i, j);
	expect_right(f);
	fingerprint_destroy(f);
}

/* What nobody touched is neither hashed nor touched: the host has as few pages as before. */
Test(stage2, fingerprint_leaves_untouched_pages_alone)
{
	struct fingerprint *f = make_fingerprint(SHARE_BLAKE2B);
	const int fd = touched_open();
	uint64_t bits[TOUCHED_PAGES / 64];

	make(SMALL);
	fill(BLOCK + 5 * PAGE_SIZE, PAGE_SIZE, 1);
	update(f, PAGES);
	cr_assert_eq(f->round.hashed, 1);
	cr_assert_eq(f->round.zero, PAGES - 1);
	touched_find(fd, ptr(0, BLOCK), TOUCHED_PAGES, bits);
	for (unsigned i = 0; i < TOUCHED_PAGES / 64; i++)
		cr_assert(fd < 0 || bits[i] == 0, "word %u", i);
	touched_find(fd, ptr(BLOCK, BLOCK), TOUCHED_PAGES, bits);
	cr_assert_eq(bits[0], fd < 0 ? ~0ull : 1ull << 5);
	expect_right(f);
	fingerprint_destroy(f);
}

/* Two keys, two roots; and a round that finds nothing else has the version and the hashes that were there. */
Test(stage2, fingerprint_keys_and_versions)
{
	struct fingerprint *f = make_fingerprint(SHARE_BLAKE2B), *other;
	const uint8_t other_key[SHARE_KEY] = "another key";
	struct share_digest a, b;

	make(SMALL);
	fill(0, BLOCK, 5);
	cr_assert_eq(fingerprint_create(SHARE_BLAKE2B, other_key, SMALL, &other), 0);
	update(f, PAGES);
	update(other, PAGES);
	a = root(f);
	b = root(other);
	cr_assert_not(share_digest_equal(&a, &b));
	cr_assert_eq(f->version, 1);
	fingerprint_due(f, NULL);
	update(f, PAGES);
	cr_assert(f->version == 1 && f->round.changed == 0 && f->round.nodes == 0 && f->round.pages == PAGES);
	fill(0, 8, 6);
	fingerprint_due(f, (const uint64_t[WORDS]){1});
	update(f, PAGES);
	cr_assert(f->version == 2 && f->round.changed == 1 && f->round.nodes == 4 && f->round.pages == 1);
	fingerprint_destroy(other);
	fingerprint_destroy(f);
}

/* A page that becomes due behind where the round is waits for the next one. */
Test(stage2, fingerprint_keeps_what_becomes_due_meanwhile)
{
	struct fingerprint *f = make_fingerprint(SHARE_BLAKE2B);
	uint64_t due[WORDS] = {0};

	make(SMALL);
	fingerprint_begin(f);
	cr_assert_not(fingerprint_work(f, &s2, 512));
	fill(0, PAGE_SIZE, 9);
	fill(SMALL - PAGE_SIZE, PAGE_SIZE, 9);
	due[0] = 1;
	due[WORDS - 1] = 1ull << 63;
	fingerprint_due(f, due);
	while (!fingerprint_work(f, &s2, 512))
		;
	cr_assert_eq(f->round.hashed, 1);
	update(f, PAGES);
	cr_assert_eq(f->round.pages, 1);
	expect_right(f);
	fingerprint_destroy(f);
}

/* Where the walker sets A and D, the VMM has changed a guest's table; where they are set already, it has not. */
Test(stage2, written_by_the_walker)
{
	const struct walk_mode mode = {.cr3 = gpa_init(BLOCK), .nxe = true, .maxphyaddr = 40};
	const struct walk_access store = {.write = true};
	uint64_t got[WORDS] = {0}, none[WORDS] = {0};
	struct walk w;

	make(SMALL);
	for (unsigned i = 0; i < 4; i++)
		*(uint64_t *)ptr(BLOCK + i * PAGE_SIZE, 8) = (BLOCK + (i + 1) * PAGE_SIZE) | PTE_P | PTE_W;
	cr_assert_eq(written_begin(&s2.written, SMALL), 0);
	guest_walk(&s2, &mode, gva_init(0), store, false, &w);
	written_take(&s2.written, got);
	cr_assert_arr_eq(got, none, sizeof(none), "it only looked");
	guest_walk(&s2, &mode, gva_init(0), store, true, &w);
	cr_assert_eq(w.outcome, WALK_OK);
	written_take(&s2.written, got);
	cr_assert_eq(got[BLOCK / PAGE_SIZE / 64], 0xf);
	memset(got, 0, sizeof(got));
	guest_walk(&s2, &mode, gva_init(0), store, true, &w);
	written_take(&s2.written, got);
	cr_assert_arr_eq(got, none, sizeof(none), "they were set already");
}

/* Exactly the pages that a range touches are noted, across words of the map and up to its end. */
Test(stage2, written_pages)
{
	struct written w = {0};
	uint64_t got[WORDS], want[WORDS];
	unsigned seed = 3;

	make(SMALL);
	written_note(&w, gpa_init(0), PAGE_SIZE); /* nobody asked yet */
	cr_assert_eq(written_begin(&w, SMALL), 0);
	for (int i = 0; i < 200; i++) {
		const uint64_t first = rand_r(&seed) % SMALL, size = rand_r(&seed) % (1 << 20);

		memset(got, 0, sizeof(got));
		memset(want, 0, sizeof(want));
		written_note(&w, gpa_init(first), size);
		for (uint64_t at = first; at < first + size && at < SMALL; at++)
			want[at / PAGE_SIZE / 64] |= 1ull << at / PAGE_SIZE % 64;
		written_take(&w, got);
		cr_assert_arr_eq(got, want, sizeof(want), "[%#llx, +%#llx)", (unsigned long long)first,
		                 (unsigned long long)size);
	}
	written_take(&w, got);
	cr_assert_arr_eq(got, want, sizeof(want), "what was taken is gone");
	written_destroy(&w);
}
