/* SPDX-License-Identifier: MIT */
/*
 * The second stage decides what memory a guest physical address is. What is protected here: every page of the guest
 * leads to its own frame and no other, whatever is split, unmapped, mapped and joined; what is not mapped has no
 * pointer; and the lookup that the guest walker uses says what the engine says.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <gnomon/abi.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "stage2/stage2.h"

#define SMALL (8ull << 20)
#define LARGE (5ull << 30) /* beyond the MMIO hole; mapped, hardly touched */
#define SLICE (64ull << 10)
#define BLOCK PAGE_2M /* the block that most tests work on */

static struct guest_mem mem;
static struct stage2 s2;
static struct pt_gather g;

static void make(uint64_t size)
{
	g = PT_GATHER_INIT;
	cr_assert_eq(guest_mem_init(&mem, size, BACKING_4K), 0);
	cr_assert_eq(stage2_init(&s2, &mem), 0);
}

static void audit(void)
{
	struct pt_violation v = {.what = ""};

	cr_assert_eq(stage2_audit(&s2, &v), 0, "%s: gpa %#llx", v.what, (unsigned long long)v.va);
}

static void teardown(void)
{
	pt_gather_finish(&s2.pt, &g);
	audit();
	stage2_destroy(&s2);
	guest_mem_destroy(&mem);
}

TestSuite(stage2, .fini = teardown);

/* Level of the leaf for a gpa, 0 for none; and the lookup agrees with the engine. */
static int level_at(uint64_t gpa)
{
	struct stage2_mapping m;
	struct pt_mapping oracle;
	const bool found = stage2_lookup(&s2, gpa_init(gpa), &m);
	const int r = pt_lookup(&s2.pt, gpa, &oracle);

	cr_assert_eq(found, r == 0, "%#llx: the engine says %d", (unsigned long long)gpa, r);
	if (!found)
		return 0;
	cr_assert(maddr_raw(m.maddr) == oracle.pa && m.level == oracle.level && m.attrs == oracle.attrs, "%#llx",
	          (unsigned long long)gpa);
	return m.level;
}

static uint64_t maddr_of(uint64_t gpa)
{
	struct stage2_mapping m;

	cr_assert(stage2_lookup(&s2, gpa_init(gpa), &m), "%#llx", (unsigned long long)gpa);
	return maddr_raw(m.maddr);
}

static void *ptr(uint64_t gpa, uint64_t len)
{
	return stage2_ptr(&s2, gpa_init(gpa), len);
}

static unsigned pages_mapped(uint64_t gpa, uint64_t size)
{
	unsigned nr = 0;

	for (uint64_t at = gpa; at < gpa + size; at += PAGE_SIZE)
		nr += level_at(at) > 0;
	return nr;
}

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
	const uint64_t before = (make(SMALL), pt_fingerprint_all(&s2.pt));

	cr_assert_eq(stage2_split(&s2, gpa_init(BLOCK + 5 * PAGE_SIZE), &g), 0);
	for (uint64_t at = BLOCK; at < 2 * BLOCK; at += PAGE_SIZE) {
		cr_assert_eq(level_at(at), 1);
		cr_assert_eq(maddr_of(at), at);
	}
	cr_assert_eq(level_at(BLOCK - 1), 2);
	cr_assert_eq(level_at(2 * BLOCK), 2);
	cr_assert_eq(pt_fingerprint_all(&s2.pt), before);
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
	const uint64_t before = (make(SMALL), pt_fingerprint_all(&s2.pt));

	cr_assert_eq(stage2_unmap(&s2, gpa_init(at), SLICE, &g), 0);
	pt_gather_finish(&s2.pt, &g);
	cr_assert_eq(stage2_collapse(&s2, gpa_init(at), &g), -ERANGE, "pages are missing");
	cr_assert_eq(stage2_map(&s2, gpa_init(at), SLICE, &g), 0);
	cr_assert_not(g.due, "from nothing to something owes no flush");
	cr_assert_eq(level_at(at), 1);
	cr_assert_eq(stage2_collapse(&s2, gpa_init(at), &g), 0);
	cr_assert_eq(level_at(at), 2);
	cr_assert_eq(pt_fingerprint_all(&s2.pt), before);
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
	const uint64_t before = (make(SMALL), pt_fingerprint_all(&s2.pt));

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		cr_assert_eq(stage2_unmap(&s2, gpa_init(bad[i].gpa), bad[i].size, &g), -EINVAL, "%zu", i);
		cr_assert_eq(stage2_map(&s2, gpa_init(bad[i].gpa), bad[i].size, &g), -EINVAL, "%zu", i);
	}
	cr_assert_eq(pt_fingerprint_all(&s2.pt), before);
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

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

/* What stage2_range_state must say of pages [first, first + n). */
static void check_range(const bool *mapped, uint64_t first, uint64_t n)
{
	bool like = true, is = !mapped[first];
	int r = stage2_range_state(&s2, gpa_init(first * PAGE_SIZE), n * PAGE_SIZE, &is);

	for (uint64_t i = 0; i < n; i++)
		like &= mapped[first + i] == mapped[first];
	cr_assert_eq(r, like ? 0 : -EALREADY, "pages %d to %d", (int)first, (int)(first + n));
	cr_assert_eq(is, like ? mapped[first] : !mapped[first]);
}

/*
 * Any order of operations: the lookup says what the engine says, for every page, and both what a plain array says, of
 * ranges, too.
 */
Test(stage2, lookup_agrees_with_the_engine)
{
	static bool mapped[SMALL / PAGE_SIZE];
	uint64_t random = 20260729;

	make(SMALL);
	memset(mapped, true, sizeof(mapped));
	for (int step = 0; step < 300; step++) {
		const uint64_t first = next_random(&random) % (SMALL / PAGE_SIZE);
		const uint64_t most = SMALL / PAGE_SIZE - first;
		const uint64_t n = 1 + next_random(&random) % (step % 5 ? 40 : most) % most;
		const gpa_t gpa = gpa_init(first * PAGE_SIZE);
		int r = 0;

		switch (next_random(&random) % 4) {
		case 0:
			r = stage2_unmap(&s2, gpa, n * PAGE_SIZE, &g);
			memset(mapped + first, false, n);
			break;
		case 1:
			r = stage2_map(&s2, gpa, n * PAGE_SIZE, &g);
			memset(mapped + first, true, n);
			break;
		case 2:
			r = stage2_split(&s2, gpa, &g);
			cr_assert_eq(r, mapped[first] ? 0 : -ENOENT);
			r = 0;
			break;
		default:
			r = stage2_collapse(&s2, gpa, &g);
			cr_assert(r == 0 || r == -ENOENT || r == -ERANGE);
			r = 0;
		}
		cr_assert_eq(r, 0, "step %d", step);
		for (uint64_t i = 0; i < SMALL / PAGE_SIZE; i++)
			cr_assert_eq(level_at(i * PAGE_SIZE) > 0, mapped[i], "step %d, page %llu", step,
			             (unsigned long long)i);
		check_range(mapped, first, n);
		for (int i = 0; i < 20; i++) {
			const uint64_t at = next_random(&random) % (SMALL / PAGE_SIZE), rest = SMALL / PAGE_SIZE - at;

			check_range(mapped, at, 1 + next_random(&random) % (i % 2 ? 4 : rest) % rest);
		}
		audit();
		if (step % 3 == 0)
			pt_gather_finish(&s2.pt, &g);
	}
}

struct reader {
	atomic_bool stop;
	atomic_uint wrong, lost;
	_Atomic uint64_t lookups;
};

#define READERS 4                         /* more than there are cores: some are held up in the middle of a walk */
#define STAYS   (BLOCK + 511 * PAGE_SIZE) /* this page is never unmapped */
#define COMES   (2 * BLOCK)               /* this block is unmapped and mapped, by small and large pages */

static void *look_up(void *arg)
{
	struct reader *r = arg;
	uint64_t random = 99;

	while (!atomic_load(&r->stop)) {
		const uint64_t other = next_random(&random) % (SMALL / PAGE_SIZE) * PAGE_SIZE;
		struct stage2_mapping m;

		if (!stage2_lookup(&s2, gpa_init(STAYS), &m))
			atomic_fetch_add(&r->lost, 1);
		else if (maddr_raw(m.maddr) != STAYS)
			atomic_fetch_add(&r->wrong, 1);
		if (stage2_lookup(&s2, gpa_init(other), &m) && maddr_raw(m.maddr) != other)
			atomic_fetch_add(&r->wrong, 1);
		atomic_fetch_add(&r->lookups, 1);
	}
	return NULL;
}

/*
 * A lookup without the lock, while tables are linked, unlinked and used again for other addresses: it never fails to
 * find a page that stays, and never finds another page's frame.
 */
Test(stage2, lookups_without_the_lock)
{
	static struct reader r;
	uint64_t random = 7;
	pthread_t thread[READERS];

	make(SMALL);
	for (int i = 0; i < READERS; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, look_up, &r), 0);
	for (int round = 0; round < 1500; round++) {
		const uint64_t n = 1 + next_random(&random) % 510;
		const gpa_t slice = gpa_init(BLOCK + next_random(&random) % (511 - n) * PAGE_SIZE);

		/* Whose table is taken first changes: each page serves both blocks in turn. */
		if (round % 2)
			cr_assert_eq(stage2_split(&s2, gpa_init(COMES), &g), 0);
		cr_assert_eq(stage2_unmap(&s2, slice, n * PAGE_SIZE, &g), 0);
		if (round % 2 == 0)
			cr_assert_eq(stage2_split(&s2, gpa_init(COMES), &g), 0);
		cr_assert_eq(stage2_unmap(&s2, gpa_init(COMES), BLOCK, &g), 0);
		pt_gather_finish(&s2.pt, &g);
		cr_assert_eq(stage2_map(&s2, slice, n * PAGE_SIZE, &g), 0);
		cr_assert_eq(stage2_collapse(&s2, slice, &g), 0);
		cr_assert_eq(stage2_map(&s2, gpa_init(COMES), BLOCK, &g), 0);
		pt_gather_finish(&s2.pt, &g);
	}
	atomic_store(&r.stop, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(thread[i], NULL);
	cr_expect_eq(atomic_load(&r.lost), 0);
	cr_expect_eq(atomic_load(&r.wrong), 0);
	cr_expect_gt(atomic_load(&r.lookups), 100, "nobody looked: the race was not run");
}

#define HIGH (2 * PAGE_2M) /* bytes of memory from 4 GiB up */
#define FAR  (2 * PAGE_1G) /* frames there have larger numbers than any table's offset */

static void *look_high(void *arg)
{
	struct reader *r = arg;
	uint64_t random = 5;

	while (!atomic_load(&r->stop)) {
		const uint64_t at = GNOMON_RAM_HIGH_BASE + next_random(&random) % HIGH;
		struct stage2_mapping m;

		if (stage2_lookup(&s2, gpa_init(at), &m) && maddr_raw(m.maddr) != at)
			atomic_fetch_add(&r->wrong, 1);
		atomic_fetch_add(&r->lookups, 1);
	}
	return NULL;
}

/* A page of level-2 entries is used again for level-1 entries: a lookup that is still in it takes no frame for a table.
 */
Test(stage2, lookups_while_tables_change_level)
{
	static struct reader r;
	pthread_t thread[READERS];

	make(GNOMON_RAM_LOW_END + HIGH);
	for (int i = 0; i < READERS; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, look_high, &r), 0);
	for (int round = 0; round < 5000; round++) {
		cr_assert_eq(stage2_unmap(&s2, gpa_init(GNOMON_RAM_HIGH_BASE), HIGH, &g), 0);
		pt_gather_finish(&s2.pt, &g);
		cr_assert_eq(stage2_split(&s2, gpa_init(FAR), &g), 0);
		cr_assert_eq(stage2_collapse(&s2, gpa_init(FAR), &g), 0);
		pt_gather_finish(&s2.pt, &g);
		cr_assert_eq(stage2_map(&s2, gpa_init(GNOMON_RAM_HIGH_BASE), HIGH, &g), 0);
	}
	atomic_store(&r.stop, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(thread[i], NULL);
	cr_expect_eq(atomic_load(&r.wrong), 0);
	cr_expect_gt(atomic_load(&r.lookups), 100, "nobody looked: the race was not run");
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
