/* SPDX-License-Identifier: MIT */
/* How the host maps memory of ours: what each way of asking says, where the kernel has it. */
#include <criterion/criterion.h>
#include <gnomon/addr.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "mem/host_page.h"

#define BLOCKS 4

/* Four blocks of 2 MiB: as the advice says, touched; NULL: the host gave no large page. */
static uint8_t *arena(int advice)
{
	uint8_t *p = mmap(NULL, (BLOCKS + 1) * PAGE_2M, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(p, MAP_FAILED);
	p += -(uintptr_t)p & (PAGE_2M - 1);
	madvise(p, BLOCKS * PAGE_2M, advice);
	for (uint64_t i = 0; i < BLOCKS * PAGE_2M; i += PAGE_SIZE)
		p[i] = 1;
	return p;
}

static void expect_all(bool (*ask)(const void *, uint64_t, uint8_t *), const void *at, enum host_page want)
{
	uint8_t page[BLOCKS];

	memset(page, 0x55, sizeof(page));
	if (!ask(at, sizeof(page) * PAGE_2M, page))
		return;
	for (int i = 0; i < BLOCKS; i++)
		cr_expect_eq(page[i], want, "block %d: %d, not %d", i, page[i], want);
}

/* Memory that may have no large page has none. */
Test(host_page, small)
{
	const uint8_t *p = arena(MADV_NOHUGEPAGE);
	uint8_t page[BLOCKS];

	expect_all(host_page_scan, p, HOST_PAGE_SMALL);
	expect_all(host_page_smaps, p, HOST_PAGE_SMALL);
	host_page_find(p, sizeof(page) * PAGE_2M, page);
	cr_expect_neq(page[0], HOST_PAGE_HUGE);
}

/* Memory in large pages: both ways agree, of each block; a hole in one makes that one small. */
Test(host_page, huge_and_a_hole)
{
	uint8_t *p = arena(MADV_HUGEPAGE), by_scan[BLOCKS], by_smaps[BLOCKS];

	if (!host_page_smaps(p, BLOCKS * PAGE_2M, by_smaps) || by_smaps[0] != HOST_PAGE_HUGE)
		cr_skip_test("the host gives no 2 MiB pages");
	expect_all(host_page_smaps, p, HOST_PAGE_HUGE);
	expect_all(host_page_scan, p, HOST_PAGE_HUGE);
	cr_assert_eq(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0); /* or khugepaged may fill the hole */
	cr_assert_eq(madvise(p + PAGE_2M, PAGE_SIZE, MADV_DONTNEED), 0);
	cr_assert(host_page_smaps(p, BLOCKS * PAGE_2M, by_smaps));
	cr_expect_neq(by_smaps[1], HOST_PAGE_HUGE);
	cr_expect_neq(by_smaps[0], HOST_PAGE_SMALL);
	if (!host_page_scan(p, BLOCKS * PAGE_2M, by_scan))
		return;
	for (int i = 0; i < BLOCKS; i++)
		cr_expect_eq(by_scan[i], i == 1 ? HOST_PAGE_SMALL : HOST_PAGE_HUGE, "block %d", i);
}

/* A mapping that ends within 2 MiB has no large page there. */
Test(host_page, unmapped)
{
	uint8_t *p = arena(MADV_NOHUGEPAGE);

	cr_assert_eq(munmap(p + PAGE_2M / 2, 2 * PAGE_2M), 0);
	expect_all(host_page_scan, p, HOST_PAGE_SMALL);
	expect_all(host_page_smaps, p, HOST_PAGE_SMALL);
}
