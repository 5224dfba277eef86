/* SPDX-License-Identifier: MIT */
/*
 * The one way from a machine address to a pointer. Whatever a guest names, a range that is not RAM from end
 * to end must give NULL: this is what keeps a guest out of the VMM's own memory.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <gnomon/abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "huge_pool.h"
#include "mem/guest_mem.h"

#define SMALL (4ull << 20)
#define LARGE (5ull << 30) /* beyond the MMIO hole; mapped, never touched as a whole */

static struct guest_mem mem;

static void make(uint64_t size)
{
	cr_assert_eq(guest_mem_init(&mem, size, BACKING_4K), 0);
}

static void teardown(void)
{
	guest_mem_destroy(&mem);
	huge_pool_restore();
}

TestSuite(guest_mem, .fini = teardown);

static void *at(uint64_t raw, uint64_t len)
{
	return guest_mem_ptr(&mem, maddr_init(raw), len);
}

/* At 0, at the end, one beyond, and around 2^64. */
Test(guest_mem, bounds)
{
	uint8_t *base;

	make(SMALL);
	base = at(0, 1);
	cr_assert_not_null(base);
	cr_assert_eq((uintptr_t)base % PAGE_2M, 0, "not aligned: 2 MiB host pages could never back it");
	cr_assert_eq(at(0, SMALL), base);
	cr_assert_null(at(0, SMALL + 1));
	cr_assert_eq(at(SMALL - 1, 1), base + SMALL - 1);
	cr_assert_null(at(SMALL - 1, 2));
	cr_assert_null(at(SMALL, 1));
	cr_assert_null(at(SMALL + 1, 1));
	cr_assert_null(at(~0ull, 1));
	cr_assert_null(at(~0ull, 2), "wraps to address 0");
	cr_assert_null(at(~0ull - 7, 16), "wraps to address 0");
	cr_assert_null(at(8, ~0ull), "wraps to address 7");
	cr_assert_null(at(0, ~0ull));
	cr_assert_null(at(0x1000, 0ull - 0x1000), "ends at 2^64");
}

/* An empty range has no pointer, wherever it is. */
Test(guest_mem, empty_range)
{
	make(SMALL);
	cr_assert_null(at(0, 0));
	cr_assert_null(at(SMALL, 0));
}

/* 5 GiB: the hole below 4 GiB is no memory, and a range that touches it from either side is none either. */
Test(guest_mem, mmio_hole)
{
	const uint64_t high = LARGE - GNOMON_RAM_LOW_END, top = GNOMON_RAM_HIGH_BASE + high;

	make(LARGE);
	cr_assert_eq(mem.nr_regions, 2);
	cr_assert_eq(mem.region[0].size + mem.region[1].size, LARGE);
	cr_assert_not_null(at(GNOMON_RAM_LOW_END - 8, 8));
	cr_assert_null(at(GNOMON_RAM_LOW_END - 8, 9));
	cr_assert_null(at(GNOMON_RAM_LOW_END, 1));
	cr_assert_null(at(GNOMON_MMIO_BASE, 1));
	cr_assert_null(at(GNOMON_RAM_HIGH_BASE - 1, 1));
	cr_assert_null(at(GNOMON_RAM_HIGH_BASE - 1, 2));
	cr_assert_not_null(at(GNOMON_RAM_HIGH_BASE, high));
	cr_assert_null(at(GNOMON_RAM_HIGH_BASE, high + 1));
	cr_assert_not_null(at(top - 1, 1));
	cr_assert_null(at(top, 1));
	cr_assert_null(at(GNOMON_RAM_LOW_END - 8, GNOMON_RAM_HIGH_BASE - GNOMON_RAM_LOW_END + 16), "spans the hole");
	cr_assert_null(at(0, top));
}

/* Exactly 3 GiB fill the low region and make no second one. */
Test(guest_mem, exactly_up_to_the_hole)
{
	make(GNOMON_RAM_LOW_END);
	cr_assert_eq(mem.nr_regions, 1);
	cr_assert_not_null(at(GNOMON_RAM_LOW_END - 1, 1));
	cr_assert_null(at(GNOMON_RAM_HIGH_BASE, 1));
}

/* The two regions are different memory, and fresh memory is zero. */
Test(guest_mem, regions_are_distinct)
{
	const uint64_t addr[] = {0, GNOMON_RAM_LOW_END - 8, GNOMON_RAM_HIGH_BASE};

	make(LARGE);
	for (size_t i = 0; i < 3; i++) {
		cr_assert_eq(*(uint64_t *)at(addr[i], 8), 0);
		*(uint64_t *)at(addr[i], 8) = i + 1;
	}
	for (size_t i = 0; i < 3; i++)
		cr_assert_eq(*(uint64_t *)at(addr[i], 8), i + 1);
}

/* Names and values of --backing; anything else is refused and leaves the value alone. */
Test(guest_mem, backing_names)
{
	static const char *const bad[] = {"", "4K", "4k ", "hugetlb", "hugetlb2m2", "hugetlb1", "hugetlb1G", "none"};
	const enum backing good[] = {BACKING_4K, BACKING_THP, BACKING_HUGETLB2M, BACKING_HUGETLB1G};
	enum backing b;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		cr_assert_eq(backing_parse(backing_name(good[i]), &b), 0);
		cr_assert_eq(b, good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		b = BACKING_THP;
		cr_assert_eq(backing_parse(bad[i], &b), -EINVAL, "'%s'", bad[i]);
		cr_assert_eq(b, BACKING_THP);
	}
}

/* What the host gives and takes at least, and its words; only the pools' pages are counted out. */
Test(guest_mem, backing_pages)
{
	static const struct {
		uint64_t page;
		const char *words;
		bool pool;
	} want[] = {
	    [BACKING_4K] = {PAGE_SIZE, "4 KiB", false},
	    [BACKING_THP] = {PAGE_SIZE, "4 KiB", false},
	    [BACKING_HUGETLB2M] = {PAGE_2M, "2 MiB", true},
	    [BACKING_HUGETLB1G] = {PAGE_1G, "1 GiB", true},
	};

	for (int b = BACKING_4K; b <= BACKING_HUGETLB1G; b++) {
		cr_assert_eq(backing_page(b), want[b].page, "%s", backing_name(b));
		cr_assert_str_eq(backing_page_words(b), want[b].words);
		cr_assert_eq(backing_is_pool(b), want[b].pool);
		mem.backing = b;
		cr_assert_eq(guest_mem_host_page(&mem), want[b].page);
	}
}

/* More than any address space holds: an error, no half-made memory. */
Test(guest_mem, too_large)
{
	cr_assert_eq(guest_mem_init(&mem, 1ull << 55, BACKING_4K), -ENOMEM);
	cr_assert_eq(mem.nr_regions, 0);
}

/* Pages of [at, at + size) that the host holds. */
static uint64_t resident(uint64_t at_, uint64_t size)
{
	static unsigned char vec[SMALL / PAGE_SIZE];
	uint64_t n = 0;

	cr_assert_leq(size, SMALL);
	cr_assert_eq(mincore(at(at_, size), size, vec), 0);
	for (uint64_t i = 0; i < size / PAGE_SIZE; i++)
		n += vec[i] & 1;
	return n;
}

/* What is discarded leaves the host's memory (the host is asked, no return code), reads as 0; its neighbours stay. */
Test(guest_mem, discard)
{
	make(SMALL);
	memset(at(0, SMALL), 0x5a, SMALL);
	cr_assert_eq(resident(0, SMALL), SMALL / PAGE_SIZE);
	cr_assert_eq(guest_mem_discard(&mem, maddr_init(3 * PAGE_SIZE), 2 * PAGE_SIZE), 0);
	cr_assert_eq(resident(0, SMALL), SMALL / PAGE_SIZE - 2);
	cr_assert_eq(resident(3 * PAGE_SIZE, 2 * PAGE_SIZE), 0);
	cr_assert_eq(*(uint8_t *)at(3 * PAGE_SIZE - 1, 1), 0x5a);
	cr_assert_eq(*(uint8_t *)at(3 * PAGE_SIZE, 1), 0);
	cr_assert_eq(*(uint8_t *)at(5 * PAGE_SIZE, 1), 0x5a);
	cr_assert_eq(guest_mem_discard(&mem, maddr_init(1), PAGE_SIZE), -EINVAL);
	cr_assert_eq(guest_mem_discard(&mem, maddr_init(0), 1), -EINVAL);
	cr_assert_eq(guest_mem_discard(&mem, maddr_init(SMALL), PAGE_SIZE), -EINVAL);
	mem.backing = BACKING_HUGETLB2M; /* the rule, without a pool of such pages */
	cr_assert_eq(guest_mem_discard(&mem, maddr_init(0), PAGE_SIZE), -EINVAL);
	cr_assert_eq(guest_mem_discard(&mem, maddr_init(PAGE_SIZE), PAGE_2M), -EINVAL);
	mem.backing = BACKING_4K;
}

static int mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	int c, n = 0;

	cr_assert(f);
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

/* The kernel reads a byte there, as KVM would. */
static bool reachable(uint64_t at_)
{
	bool can;
	int fd[2];

	cr_assert_eq(pipe(fd), 0);
	can = write(fd[1], at(at_, 1), 1) == 1;
	cr_assert(can || errno == EFAULT);
	close(fd[0]);
	close(fd[1]);
	return can;
}

static void withdraw_and_restore(void)
{
	const maddr_t first = maddr_init(3 * PAGE_SIZE);

	memset(at(0, SMALL), 0x5a, SMALL);
	cr_assert_eq(guest_mem_withdraw(&mem, first, 2 * PAGE_SIZE), 0);
	for (uint64_t page = 0; page < 8; page++)
		cr_assert_eq(reachable(page * PAGE_SIZE), page != 3 && page != 4, "page %d", (int)page);
	cr_assert_eq(guest_mem_surrender(&mem, first, 2 * PAGE_SIZE), 0);
	cr_assert_eq(resident(0, SMALL), SMALL / PAGE_SIZE - 2);
	cr_assert_not(reachable(3 * PAGE_SIZE));
	cr_assert_eq(guest_mem_restore(&mem, maddr_init(4 * PAGE_SIZE), PAGE_SIZE), 0);
	cr_assert_not(reachable(3 * PAGE_SIZE));
	cr_assert_eq(guest_mem_restore(&mem, first, PAGE_SIZE), 0);
	for (uint64_t i = 0; i < SMALL; i++)
		cr_assert_eq(*(uint8_t *)at(i, 1), i / PAGE_SIZE == 3 || i / PAGE_SIZE == 4 ? 0 : 0x5a);
	cr_assert_eq(guest_mem_withdraw(&mem, maddr_init(1), PAGE_SIZE), -EINVAL);
	cr_assert_eq(guest_mem_withdraw(&mem, maddr_init(SMALL), PAGE_SIZE), -EINVAL);
}

/* Nobody reaches what is withdrawn, its neighbours stay, and what comes back is zeroed; a host without guards, too. */
Test(guest_mem, withdraw)
{
	make(SMALL);
	withdraw_and_restore();
	mem.guards = false;
	withdraw_and_restore();
}

/* A thousand holes with guards cost the host no mapping: its limit of mappings is none on holes. */
Test(guest_mem, holes_without_mappings)
{
	int before;

	make(8 * PAGE_2M);
	if (!mem.guards)
		cr_skip_test("the host has no guards for single pages (Linux 6.13)");
	before = mappings();
	for (uint64_t i = 0; i < 1000; i++)
		cr_assert_eq(guest_mem_withdraw(&mem, maddr_init(2 * i * PAGE_SIZE), PAGE_SIZE), 0);
	cr_assert_eq(mappings(), before);
}

/* KiB of huge pages in guest memory. */
static unsigned long huge_kib(void)
{
	unsigned long kib = 0, begin = 0, n, end;
	char line[256];
	FILE *f = fopen("/proc/self/smaps", "re");

	cr_assert(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx", &n, &end) == 2)
			begin = n;
		else if (begin == (uintptr_t)at(0, 1) && sscanf(line, "AnonHugePages: %lu", &n) == 1)
			kib = n;
	}
	fclose(f);
	return kib;
}

/* 2 MiB that went and came back as a whole may be a huge page again: no empty page table is left in its place. */
Test(guest_mem, huge_again)
{
	struct utsname host;
	int major, minor;

	cr_assert_eq(guest_mem_init(&mem, SMALL, BACKING_THP), 0);
	memset(at(0, SMALL), 0x5a, SMALL);
	cr_assert_eq(uname(&host), 0);
	cr_assert_eq(sscanf(host.release, "%d.%d", &major, &minor), 2);
	if (huge_kib() != SMALL / 1024 || major * 100 + minor < 614)
		cr_skip_test("the host gives no transparent huge pages, or is older than Linux 6.14");
	cr_assert_eq(guest_mem_withdraw(&mem, maddr_init(PAGE_2M), PAGE_2M), 0);
	cr_assert_eq(guest_mem_restore(&mem, maddr_init(PAGE_2M), PAGE_2M), 0);
	cr_assert_eq(huge_kib(), PAGE_2M / 1024);
	memset(at(PAGE_2M, PAGE_2M), 0xa5, PAGE_2M);
	cr_assert_eq(huge_kib(), SMALL / 1024);
	/* Of a part nothing more goes than that part. */
	cr_assert_eq(guest_mem_withdraw(&mem, maddr_init(PAGE_2M), PAGE_SIZE), 0);
	cr_assert_eq(guest_mem_restore(&mem, maddr_init(PAGE_2M), PAGE_SIZE), 0);
	for (uint64_t i = PAGE_2M; i < SMALL; i++)
		cr_assert_eq(*(uint8_t *)at(i, 1), i < PAGE_2M + PAGE_SIZE ? 0 : 0xa5);
}

/* Whether 2 MiB with `pages` small pages are a huge one after it was asked for. Their content stays. */
static bool becomes_huge(unsigned pages)
{
	bool huge;

	/* The other 2 MiB are a huge page throughout: huge_kib() sees one mapping. */
	cr_assert_eq(guest_mem_discard(&mem, maddr_init(0), PAGE_2M), 0);
	cr_assert_eq(madvise(at(0, SMALL), SMALL, MADV_NOHUGEPAGE), 0);
	for (unsigned page = 0; page < pages; page++)
		*(uint8_t *)at(page * PAGE_SIZE, 1) = page + 1;
	cr_assert_eq(madvise(at(0, SMALL), SMALL, MADV_HUGEPAGE), 0);
	guest_mem_ask_huge(&mem, maddr_init(0), PAGE_2M);
	huge = huge_kib() == 2 * PAGE_2M / 1024;
	for (unsigned page = 0; page < 512; page++)
		cr_assert_eq(*(uint8_t *)at(page * PAGE_SIZE, 1), page < pages ? (uint8_t)(page + 1) : 0);
	return huge;
}

/* When at least half of them are there. khugepaged may come by, and take fewer: hardly three times in a row. */
Test(guest_mem, huge_when_asked)
{
	static const struct {
		unsigned pages;
		bool huge;
	} t[] = {{255, false}, {256, true}, {512, true}};

	cr_assert_eq(guest_mem_init(&mem, SMALL, BACKING_THP), 0);
	memset(at(0, SMALL), 0x5a, SMALL);
	if (huge_kib() != SMALL / 1024)
		cr_skip_test("the host gives no transparent huge pages");
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		const unsigned n = t[i].pages;

		if (t[i].huge)
			cr_expect(becomes_huge(n), "%u pages", n);
		else
			cr_expect(!becomes_huge(n) || !becomes_huge(n) || !becomes_huge(n), "%u pages", n);
	}
}

/*
 * A surrendered hugetlb page is the pool's again, not only free but reserved for us; restored it is zeroed, and its
 * neighbours are what they were; and when another process has it meanwhile, it stays away and nothing is changed.
 */
Test(guest_mem, surrender_hugetlb)
{
	const uint64_t size = 3 * PAGE_2M;
	long before;

	huge_pool_grow(PAGE_2M, 3);
	cr_assert_eq(guest_mem_init(&mem, size, BACKING_HUGETLB2M), 0);
	memset(at(0, size), 0x5a, size);
	before = huge_pool_available(PAGE_2M);
	cr_assert_eq(guest_mem_surrender(&mem, maddr_init(PAGE_2M + PAGE_SIZE), PAGE_SIZE), -EINVAL);
	cr_assert_eq(guest_mem_surrender(&mem, maddr_init(PAGE_2M), PAGE_2M), 0);
	cr_assert_eq(huge_pool_available(PAGE_2M), before + 1);
	huge_pool_use_up(PAGE_2M);
	cr_assert_eq(guest_mem_restore(&mem, maddr_init(PAGE_2M), PAGE_2M), -ENOMEM);
	huge_pool_give_back();
	cr_assert_eq(guest_mem_restore(&mem, maddr_init(PAGE_2M), PAGE_2M), 0);
	for (uint64_t i = 0; i < size; i += PAGE_SIZE)
		cr_assert_eq(*(uint8_t *)at(i, 1), i / PAGE_2M == 1 ? 0 : 0x5a);
	memset(at(0, size), 0xa5, size);
}

/* So is one of 1 GiB; it lies as its machine address does, or KVM could not map it as a whole. Nothing less goes. */
Test(guest_mem, surrender_hugetlb_1g)
{
	const maddr_t second = maddr_init(PAGE_1G);

	huge_pool_grow(PAGE_1G, 2);
	cr_assert_eq(guest_mem_init(&mem, 2 * PAGE_1G, BACKING_HUGETLB1G), 0);
	cr_assert_eq((uintptr_t)at(0, 1) % PAGE_1G, 0);
	cr_assert_eq(huge_pool_available(PAGE_1G), 0);
	*(uint8_t *)at(PAGE_1G - 1, 1) = 0x5a;
	*(uint8_t *)at(PAGE_1G, 1) = 0x5a;
	cr_assert_eq(guest_mem_withdraw(&mem, second, PAGE_2M), -EINVAL);
	cr_assert_eq(guest_mem_discard(&mem, maddr_init(PAGE_1G / 2), PAGE_1G), -EINVAL);
	cr_assert_eq(guest_mem_withdraw(&mem, second, PAGE_1G), 0);
	cr_assert_not(reachable(PAGE_1G));
	cr_assert_eq(guest_mem_surrender(&mem, second, PAGE_1G), 0);
	cr_assert_eq(huge_pool_available(PAGE_1G), 1);
	huge_pool_use_up(PAGE_1G);
	cr_assert_eq(guest_mem_restore(&mem, second, PAGE_1G), -ENOMEM);
	huge_pool_give_back();
	cr_assert_eq(guest_mem_restore(&mem, second, PAGE_1G), 0);
	cr_assert_eq(*(uint8_t *)at(PAGE_1G - 1, 1), 0x5a);
	cr_assert_eq(*(uint8_t *)at(PAGE_1G, 1), 0);
}
