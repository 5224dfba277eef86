/* SPDX-License-Identifier: MIT */
/* Secure memory: which of it may come as huge pages, and that it is gone when it was given up. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "monitor/secure.h"

#define SIZE (4 * PAGE_2M)

static uint8_t *memory;

static void setup(void)
{
	memory = secure_map(SIZE - PAGE_SIZE); /* no whole number of blocks */
	cr_assert(memory);
	cr_assert_eq((uintptr_t)memory % PAGE_2M, 0);
}

TestSuite(secure, .init = setup);

/* The flag of the mapping that has the byte: hg for huge pages, nh for none, dd for no core dump (proc(5)). */
static bool has_flag(uint64_t at, const char *flag)
{
	const uintptr_t address = (uintptr_t)memory + at;
	unsigned long from, to;
	bool here = false, has = false;
	char line[512];
	FILE *f = fopen("/proc/self/smaps", "re");

	cr_assert(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = from <= address && address < to;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			has = strstr(line, flag);
	}
	fclose(f);
	return has;
}

static unsigned resident(uint64_t from, uint64_t to)
{
	unsigned char pages[SIZE / PAGE_SIZE];
	unsigned n = 0;

	cr_assert_eq(mincore(memory + from, to - from, pages), 0);
	for (uint64_t i = 0; i < (to - from) / PAGE_SIZE; i++)
		n += pages[i] & 1;
	return n;
}

/* Else an enclave of a page would take 2 MiB of the host. */
Test(secure, a_small_run_takes_what_it_has)
{
	secure_claim(memory, maddr_init(PAGE_SIZE), 16 * PAGE_SIZE);
	secure_populate(memory, maddr_init(PAGE_SIZE), 16 * PAGE_SIZE);
	memset(memory + PAGE_SIZE, 1, 16 * PAGE_SIZE);
	cr_expect_eq(resident(0, PAGE_2M), 16);
	cr_expect(has_flag(PAGE_SIZE, " dd"));
}

/* Whole blocks alone, and no longer when another enclave has them. */
Test(secure, huge_pages_in_whole_blocks)
{
	if (!has_flag(0, " nh"))
		cr_skip_test("this kernel has no transparent huge pages");
	secure_claim(memory, maddr_init(PAGE_2M - PAGE_SIZE), PAGE_2M + 2 * PAGE_SIZE);
	cr_expect(has_flag(PAGE_2M - PAGE_SIZE, " nh"));
	cr_expect(has_flag(PAGE_2M, " hg"));
	cr_expect(has_flag(2 * PAGE_2M - 1, " hg"));
	cr_expect(has_flag(2 * PAGE_2M, " nh"));
	secure_claim(memory, maddr_init(PAGE_2M + PAGE_SIZE), PAGE_SIZE);
	cr_expect(has_flag(PAGE_2M + PAGE_SIZE, " nh"));
}

Test(secure, what_was_given_up_is_zero)
{
	secure_claim(memory, maddr_init(0), 2 * PAGE_2M);
	memset(memory, 1, 2 * PAGE_2M);
	cr_assert(secure_discard(memory, maddr_init(PAGE_SIZE), PAGE_SIZE));
	cr_expect_eq(memory[0], 1);
	cr_expect_eq(memory[PAGE_SIZE], 0);
	cr_assert(secure_discard(memory, maddr_init(0), 2 * PAGE_2M));
	for (uint64_t i = 0; i < 2 * PAGE_2M; i += PAGE_SIZE / 2)
		cr_expect_eq(memory[i], 0);
	secure_unmap(memory, SIZE - PAGE_SIZE);
}
