/* SPDX-License-Identifier: MIT */
/* Memory and a store: what goes into it, what takes its place, and what does not. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mem/page_kind.h"
#include "mem/touched.h"
#include "share/merge.h"
#include "stage2_machine.h"

#define PAGES 512

static struct merge m;
static uint8_t *memory;

static void setup(void)
{
	make(SMALL);
	memory = ptr(0, SMALL);
	m = (struct merge){
	    .mem = &mem, .s2 = &s2, .store = memfd_create("store", MFD_ALLOW_SEALING), .pagemap = touched_open()};
	cr_assert(m.store >= 0);
	cr_assert_eq(ftruncate(m.store, 2 * BLOCK), 0);
	cr_assert_eq(fcntl(m.store, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
}

static void teardown(void)
{
	close(m.store);
	close(m.pagemap);
	guest_mem_destroy(&mem);
	stage2_destroy(&s2);
}

TestSuite(merge, .init = setup, .fini = teardown);

static void fill(unsigned first, unsigned n)
{
	for (unsigned i = first; i < first + n; i++)
		memset(memory + i * PAGE_SIZE, (int)(i % 255 + 1), PAGE_SIZE);
}

static void give(uint64_t gpa, uint64_t size, uint64_t offset)
{
	cr_assert_eq(merge_give(&m, gpa_init(gpa), size, offset), 0);
}

static void seal(void)
{
	cr_assert_eq(fcntl(m.store, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL), 0);
	m.sum = (struct merge_sum){0};
}

static void take(uint64_t gpa, uint64_t size, uint64_t offset)
{
	cr_assert_eq(merge_take(&m, gpa_init(gpa), size, offset), 0);
}

static unsigned count(unsigned first, unsigned n, enum page_kind what)
{
	uint8_t all[PAGE_KIND_PAGES];
	unsigned sum = 0;

	page_kind_find(m.pagemap, memory + first * PAGE_SIZE, n, all);
	for (unsigned i = 0; i < n; i++)
		sum += all[i] == what;
	return sum;
}

/* The bytes are the same afterwards, the host has the pages back, and a write is the writer's alone. */
Test(merge, what_is_equal)
{
	uint8_t *before = malloc(BLOCK), from_store = 0;

	fill(0, PAGES);
	memcpy(before, memory, BLOCK);
	give(0, BLOCK, 0);
	cr_expect_eq(m.sum.given, PAGES);
	seal();
	take(0, BLOCK, 0);
	cr_expect_eq(m.sum.merged, PAGES);
	cr_expect_eq(m.sum.freed, PAGES);
	cr_expect_eq(count(0, PAGES, PAGE_OF_FILE), PAGES);
	cr_expect_arr_eq(memory, before, BLOCK);
	memory[5 * PAGE_SIZE] = 0xee;
	cr_assert_eq(pread(m.store, &from_store, 1, 5 * PAGE_SIZE), 1);
	cr_expect_eq(from_store, before[5 * PAGE_SIZE]);
	cr_expect_eq(count(0, PAGES, PAGE_OWN), 1);
	free(before);
}

/* One byte is enough: that page stays, and those around it go. */
Test(merge, what_differs_stays)
{
	static const unsigned at[] = {0, 4095, 17};

	for (unsigned i = 0; i < 3; i++) {
		fill(0, PAGES);
		if (i == 0)
			give(0, BLOCK, 0);
		memory[100 * PAGE_SIZE + at[i]] ^= 1;
		if (i == 0)
			seal();
		m.sum = (struct merge_sum){0};
		take(0, BLOCK, 0);
		cr_expect_eq(m.sum.differ, 1);
		cr_expect_eq(m.sum.merged, PAGES - 1);
		cr_expect_eq(memory[100 * PAGE_SIZE + at[i]], (100 % 255 + 1) ^ 1);
		for (unsigned page = 101; page < PAGES; page++)
			cr_assert_eq(memory[page * PAGE_SIZE], page % 255 + 1);
	}
}

static uint64_t walked; /* pages of files that the host walked to find where data or holes begin */

/* Stands before libc's. */
off_t lseek(int fd, off_t at, int whence)
{
	const off_t got = syscall(SYS_lseek, fd, at, whence);

	if (got > at && whence == SEEK_HOLE)
		walked += (uint64_t)(got - at) / PAGE_SIZE;
	return got;
}

/* Pages in random order, each by itself, cost as many steps as there are: none walks the store. */
Test(merge, single_pages_do_not_walk_the_store)
{
	fill(0, PAGES);
	give(0, BLOCK, 0);
	seal();
	cr_assert_eq(lseek(m.store, 0, SEEK_HOLE), BLOCK);
	cr_assert_eq(walked, PAGES, "steps are counted");
	walked = 0;
	for (unsigned i = 0; i < PAGES; i++) {
		const uint64_t page = i * 211 % PAGES;

		take(page * PAGE_SIZE, PAGE_SIZE, page * PAGE_SIZE);
	}
	cr_expect_eq(m.sum.merged, PAGES);
	cr_expect_leq(walked, PAGES);
}

static bool swapped; /* what is asked of is not in memory */

/* Stands before libc's. */
int mincore(void *at, size_t size, unsigned char *ret)
{
	const int r = (int)syscall(SYS_mincore, at, size, ret);

	if (swapped)
		memset(ret, 0, size / PAGE_SIZE);
	return r;
}

/* The host may have swapped pages of the store out. They are no hole. */
Test(merge, what_is_swapped_out)
{
	fill(0, 100);
	fill(200, 100);
	give(0, BLOCK, 0);
	seal();
	swapped = true;
	take(0, BLOCK, 0);
	cr_expect_eq(m.sum.merged, 200);
	cr_expect_eq(count(0, PAGES, PAGE_OF_FILE), 200);
}

/* Up to 16 pages of zeroes between others are mapped with them, so that one mapping does; more go back to the host. */
Test(merge, short_holes_take_no_mapping_of_their_own)
{
	uint64_t before;

	fill(0, PAGES);
	memset(memory + 100 * PAGE_SIZE, 0, 16 * PAGE_SIZE);
	memset(memory + 200 * PAGE_SIZE, 0, 17 * PAGE_SIZE);
	give(0, BLOCK, 0);
	cr_expect_eq(m.sum.given, PAGES - 33);
	seal();
	before = mem.cuts.made;
	take(0, BLOCK, 0);
	cr_expect_eq(m.sum.merged, PAGES - 17);
	cr_expect_eq(m.sum.zero, 17);
	cr_expect_eq(mem.cuts.made - before, 2 * 3, "two in the store, one of zeroes");
}

/* Pages of zeroes are no part of the store, and those that were touched go back to the host. */
Test(merge, zeroes)
{
	fill(0, 100);
	memset(memory + 100 * PAGE_SIZE, 0, 200 * PAGE_SIZE);
	give(0, BLOCK, BLOCK);
	cr_expect_eq(m.sum.given, 100);
	seal();
	memory[200 * PAGE_SIZE + 4095] = 0x77; /* written since */
	take(0, BLOCK, BLOCK);
	cr_expect_eq(m.sum.merged, 100);
	cr_expect_eq(m.sum.zero, 199);
	cr_expect_eq(count(0, PAGES, PAGE_OWN), 1);
	cr_expect_eq(memory[200 * PAGE_SIZE + 4095], 0x77);
	memset(memory + 300 * PAGE_SIZE, 0, 2 * PAGE_SIZE);
	m.sum = (struct merge_sum){0};
	cr_assert_eq(merge_zeroes(&m, gpa_init(0), BLOCK), 0);
	cr_expect_eq(m.sum.zero, 2);
	cr_expect_eq(memory[99 * PAGE_SIZE], 100);
}

/* A page that the guest does not have, and one that an enclave has. */
Test(merge, absent_pages_stay)
{
	fill(0, PAGES);
	cr_assert_eq(lent_init(&s2.lent, SMALL), 0);
	lent_set(&s2.lent, gpa_init(7 * PAGE_SIZE), PAGE_SIZE, 3);
	cr_assert_eq(stage2_unmap(&s2, gpa_init(9 * PAGE_SIZE), PAGE_SIZE, &g), 0);
	pt_gather_finish(&s2.pt, &g);
	give(0, BLOCK, 0);
	cr_expect_eq(m.sum.given, PAGES - 2);
	seal();
	take(0, BLOCK, 0);
	cr_expect_eq(m.sum.absent, 2);
	cr_expect_eq(m.sum.merged, PAGES - 2);
	cr_expect_eq(count(7, 1, PAGE_OWN), 1);
}

/* Memory in pages of 2 MiB is merged whole or not at all. */
Test(merge, huge_pages_are_not_cut)
{
	mem.backing = BACKING_THP;
	fill(0, PAGES);
	give(0, BLOCK, 0);
	seal();
	memory[3 * PAGE_SIZE] ^= 1;
	take(0, BLOCK, 0);
	cr_expect_eq(m.sum.merged, 0);
	memory[3 * PAGE_SIZE] ^= 1;
	take(0, BLOCK, 0);
	cr_expect_eq(m.sum.merged, PAGES);
}

/* A process has so many mappings and no more: the rest stays, and what is dropped is zeroed. */
Test(merge, no_mappings_left)
{
	fill(0, PAGES);
	give(0, BLOCK, 0);
	seal();
	mem.cuts.allowed = 64;
	mem.cuts.made = 64;
	mem.cuts.refused = 1;
	take(0, BLOCK, 0);
	cr_expect_eq(m.sum.full, PAGES);
	cr_expect_eq(m.sum.merged, 0);
	mem.mapped_file = true;
	cr_assert_eq(guest_mem_discard(&mem, maddr_init(0), PAGE_SIZE), 0);
	cr_expect_eq(memory[0], 0);
	cr_expect_eq(memory[PAGE_SIZE], 2);
}

/* What was merged and then dropped, or taken and given back, is zero: the store's bytes do not come back. */
Test(merge, dropped_afterwards)
{
	fill(0, PAGES);
	give(0, BLOCK, 0);
	seal();
	take(0, BLOCK, 0);
	cr_assert_eq(guest_mem_discard(&mem, maddr_init(0), PAGE_SIZE), 0);
	cr_expect_eq(memory[0], 0);
	for (int full = 0; full < 2; full++) {
		const maddr_t at = maddr_init((3 + full) * PAGE_SIZE);

		if (full)
			mem.cuts = (struct cuts){.allowed = 8, .made = 8, .refused = 1};
		cr_assert_eq(guest_mem_withdraw(&mem, at, PAGE_SIZE), 0);
		cr_assert_eq(guest_mem_surrender(&mem, at, PAGE_SIZE), 0);
		cr_assert_eq(guest_mem_restore(&mem, at, PAGE_SIZE), 0);
		cr_expect_eq(memory[(3 + full) * PAGE_SIZE], 0);
	}
}

static struct merge_run runs[16];
static unsigned nr_runs;

static void add_run(void *ctx, const struct merge_run *run)
{
	cr_assert(nr_runs < 16);
	runs[nr_runs++] = *run;
}

/* Where the pages lie is told: in the store, the guest's own, or nowhere. */
Test(merge, places_are_told)
{
	fill(0, 300);
	give(0, 200 * PAGE_SIZE, 0);
	seal();
	take(0, 200 * PAGE_SIZE, 0);
	memory[50 * PAGE_SIZE] ^= 1;
	cr_assert_eq(merge_places(&m, gpa_init(0), SMALL, add_run, NULL), 0);
	cr_assert_eq(nr_runs, 4u);
	cr_expect(runs[0].store && runs[0].size == 50 * PAGE_SIZE && runs[0].offset == 0);
	cr_expect(!runs[1].store && runs[1].size == PAGE_SIZE && gpa_raw(runs[1].gpa) == 50 * PAGE_SIZE);
	cr_expect(runs[2].store == runs[0].store && runs[2].offset == 51 * PAGE_SIZE);
	cr_expect(!runs[3].store && runs[3].size == 100 * PAGE_SIZE);
}

/* A page that was only read is the host's page of zeroes: it costs nothing. Older kernels tell by another way. */
Test(merge, what_pages_cost)
{
	uint8_t entries[PAGE_KIND_PAGES];

	fill(0, 10);
	give(0, 10 * PAGE_SIZE, 0);
	seal();
	take(0, 10 * PAGE_SIZE, 0);
	memory[4 * PAGE_SIZE] ^= 1;
	memory[20 * PAGE_SIZE] = 1;
	cr_expect_eq(*(volatile uint8_t *)&memory[30 * PAGE_SIZE], 0);
	cr_expect_eq(count(0, 10, PAGE_OF_FILE), 9);
	cr_expect_eq(count(4, 1, PAGE_OWN), 1);
	cr_expect_eq(count(20, 1, PAGE_OWN), 1);
	cr_expect_eq(count(21, 100, PAGE_COSTS_NOTHING), 100);
	page_kind_read(m.pagemap, memory, PAGE_KIND_PAGES, entries);
	for (unsigned i = 0; i < PAGE_KIND_PAGES; i++)
		if (i != 30 || geteuid() == 0)
			cr_expect_eq(count(i, 1, entries[i]), 1, "%u", i);
}
