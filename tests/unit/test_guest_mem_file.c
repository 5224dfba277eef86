/* SPDX-License-Identifier: MIT */
/* Guest memory of which a part is a file's: what is dropped out of it is zero, and it stays in few enough pieces. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mem/guest_mem.h"

#define SIZE (4ull << 20)

static struct guest_mem file_mem;
static uint8_t *memory;
static int file;

static void setup(void)
{
	char page[PAGE_SIZE];

	cr_assert_eq(guest_mem_init(&file_mem, SIZE, BACKING_4K), 0);
	memory = guest_mem_ptr(&file_mem, maddr_init(0), SIZE);
	file = memfd_create("file", 0);
	memset(page, 0x5a, sizeof(page));
	for (unsigned i = 0; i < 64; i++)
		cr_assert_eq(write(file, page, sizeof(page)), (ssize_t)sizeof(page));
	cr_assert_eq(guest_mem_map_file(&file_mem, maddr_init(0), 64 * PAGE_SIZE, file, 0), 0);
}

static void teardown(void)
{
	guest_mem_destroy(&file_mem);
	close(file);
}

TestSuite(guest_mem_file, .init = setup, .fini = teardown);

/* With mappings left and without, at last on a host that has no guards: the file's bytes do not come back. */
Test(guest_mem_file, dropped_pages_are_zero)
{
	for (unsigned page = 3; page < 50; page += 20) {
		const maddr_t at = maddr_init(page * PAGE_SIZE);

		cr_assert_eq(memory[page * PAGE_SIZE], 0x5a);
		cr_assert_eq(guest_mem_discard(&file_mem, at, PAGE_SIZE), 0);
		cr_expect_eq(memory[page * PAGE_SIZE], 0);
		cr_assert_eq(guest_mem_withdraw(&file_mem, maddr_add(at, 2 * PAGE_SIZE), PAGE_SIZE), 0);
		cr_assert_eq(guest_mem_surrender(&file_mem, maddr_add(at, 2 * PAGE_SIZE), PAGE_SIZE), 0);
		cr_assert_eq(guest_mem_restore(&file_mem, maddr_add(at, 2 * PAGE_SIZE), PAGE_SIZE), 0);
		cr_expect_eq(memory[(page + 2) * PAGE_SIZE], 0);
		cr_expect_eq(memory[(page + 1) * PAGE_SIZE], 0x5a);
		file_mem.cuts = (struct cuts){.allowed = 64, .made = 64, .refused = 1};
		file_mem.guards &= page < 20;
	}
}

/* A reset gives zeroed memory, and no page has the file's bytes behind it any more. */
Test(guest_mem_file, cleared_memory_is_zero)
{
	memory[PAGE_SIZE] = 1;
	memory[70 * PAGE_SIZE] = 1;
	cr_assert_eq(guest_mem_clear(&file_mem), 0);
	for (unsigned page = 0; page < SIZE / PAGE_SIZE; page++)
		cr_assert_eq(memory[page * PAGE_SIZE], 0, "page %u", page);
	memory[3 * PAGE_SIZE] = 1;
	cr_assert_eq(guest_mem_discard(&file_mem, maddr_init(3 * PAGE_SIZE), PAGE_SIZE), 0);
	cr_assert_eq(memory[3 * PAGE_SIZE], 0);
	cr_assert_not(file_mem.mapped_file);
}

/* The share of what is mapped is used up first, that of what is dropped later. */
Test(guest_mem_file, pieces_are_counted)
{
	unsigned mapped = 0;

	file_mem.cuts = (struct cuts){.allowed = 64, .refused = 1};
	while (guest_mem_map_file(&file_mem, maddr_init(2ull * mapped * PAGE_SIZE), PAGE_SIZE, file, 0) == 0)
		mapped++;
	cr_expect_eq(mapped, 64u * 3 / 8 / 2);
	cr_expect_eq(guest_mem_map_file(&file_mem, maddr_init(0), PAGE_SIZE, file, 0), -ENOSPC);
	for (unsigned i = 0; i < 64 * 2 / 8 / 2; i++)
		cr_expect(cuts_take(&file_mem.cuts, CUTS_TO_DROP));
	cr_expect_not(cuts_take(&file_mem.cuts, CUTS_TO_DROP));
	cr_expect_eq(cuts_set_aside(&file_mem.cuts), 64u * 5 / 8);
}

/* Pieces that were joined again are found by a recount, once it is due. */
Test(guest_mem_file, a_recount)
{
	const uint64_t allowed = cuts_allowed();

	cr_expect_gt(allowed, 0);
	file_mem.cuts = (struct cuts){.allowed = allowed, .made = allowed};
	cr_expect(cuts_take(&file_mem.cuts, CUTS_TO_MAP));
	cr_expect_lt(file_mem.cuts.made, allowed / 8);
}
