/* SPDX-License-Identifier: MIT */
/* Memory of a program: values, page sizes, first touch, accessed and dirty, reuse, and the system calls' refusals. */
#include "selftest.h"

#define HUGE_BYTES 0x200000ull

/* Distinct words all over the range, written first and compared afterwards. */
static bool holds_values(volatile uint64_t *p, uint64_t bytes, uint64_t step)
{
	for (uint64_t i = 0; i < bytes / 8; i += step / 8)
		p[i] = i * 0x9e3779b97f4a7c15;
	for (uint64_t i = 0; i < bytes / 8; i += step / 8)
		EXPECT_EQ(p[i], i * 0x9e3779b97f4a7c15);
	return true;
}

static bool small_pages(void)
{
	volatile uint64_t *p = (uint64_t *)mmap(40 * PAGE_BYTES, 0);

	for (int i = 0; i < 40; i++)
		EXPECT_EQ(p[i * 512], 0);
	return holds_values(p, 40 * PAGE_BYTES, 2048) && munmap(p, 40 * PAGE_BYTES) == 0;
}

static bool lazy_pages(void)
{
	volatile uint64_t *p = (uint64_t *)mmap(8 * PAGE_BYTES, MMAP_LAZY);

	for (int i = 0; i < 8; i++)
		EXPECT((pte(&p[i * 512], 1) & PTE_P) == 0);
	EXPECT_EQ(p[2 * 512], 0);
	p[5 * 512 + 1] = 9;
	for (int i = 0; i < 8; i++)
		EXPECT_EQ(pte(&p[i * 512], 1) & PTE_P, i == 2 || i == 5);
	EXPECT_EQ(p[5 * 512 + 1], 9);
	EXPECT_EQ(munmap(p, 8 * PAGE_BYTES), 0);
	EXPECT_FAULT(do_read, (uint64_t)p, VEC_PF, PFEC_U);
	return true;
}

static bool huge_pages(void)
{
	volatile uint64_t *p = (uint64_t *)mmap(2 * HUGE_BYTES, MMAP_HUGE);

	EXPECT((int64_t)p > 0);
	EXPECT_EQ(pte(p, 2) & (PTE_P | PTE_W | PTE_U | PTE_PS | PTE_NX), PTE_P | PTE_W | PTE_U | PTE_PS | PTE_NX);
	EXPECT_EQ(pte(p, 2) & PTE_ADDR & (HUGE_BYTES - 1), 0);
	if (!holds_values(p, 2 * HUGE_BYTES, 8192))
		return false;
	EXPECT_EQ(mprotect(p, HUGE_BYTES, 0), 0);
	EXPECT_FAULT(do_write, (uint64_t)p + HUGE_BYTES - 1, VEC_PF, PFEC_P | PFEC_W | PFEC_U);
	do_write((uint64_t)p + HUGE_BYTES);
	EXPECT_EQ(munmap(p, HUGE_BYTES), 0);
	EXPECT_FAULT(do_read, (uint64_t)p + HUGE_BYTES - 8, VEC_PF, PFEC_U);
	EXPECT_EQ(*(volatile uint8_t *)((uint64_t)p + HUGE_BYTES), 0x5a);
	return munmap(p + HUGE_BYTES / 8, HUGE_BYTES) == 0;
}

static bool unmap(void)
{
	volatile uint64_t *p = (uint64_t *)mmap(3 * PAGE_BYTES, 0);

	p[0] = p[512] = p[1024] = 3;
	EXPECT_EQ(munmap(&p[512], PAGE_BYTES), 0);
	EXPECT_FAULT(do_read, (uint64_t)&p[512], VEC_PF, PFEC_U);
	EXPECT_FAULT(do_write, (uint64_t)&p[513], VEC_PF, PFEC_U | PFEC_W);
	EXPECT_EQ(p[0] + p[1024], 6);
	return munmap(p, 3 * PAGE_BYTES) == 0;
}

/* A page that comes back from another use shows nothing of it. */
static bool reuse_is_zeroed(void)
{
	volatile uint64_t *p = (uint64_t *)mmap(PAGE_BYTES, 0);
	uint64_t frame, again = 0;

	for (int i = 0; i < 512; i++)
		p[i] = ~0ull;
	frame = pte(p, 1) & PTE_ADDR;
	munmap(p, PAGE_BYTES);
	for (int i = 0; i < 8 && again != frame; i++) {
		p = (uint64_t *)mmap(PAGE_BYTES, 0);
		again = pte(p, 1) & PTE_ADDR;
	}
	EXPECT_EQ(again, frame);
	for (int i = 0; i < 512; i++)
		EXPECT_EQ(p[i], 0);
	return true;
}

static bool accessed_dirty(void)
{
	volatile uint64_t *p = (uint64_t *)mmap(2 * PAGE_BYTES, 0);

	EXPECT_EQ(pte(p, 1) & (PTE_A | PTE_D), 0);
	do_read((uint64_t)p);
	EXPECT_EQ(pte(p, 1) & (PTE_A | PTE_D), PTE_A);
	do_write((uint64_t)p);
	EXPECT_EQ(pte(p, 1) & (PTE_A | PTE_D), PTE_A | PTE_D);
	EXPECT_EQ(pte(&p[512], 1) & (PTE_A | PTE_D), 0);
	for (int level = 2; level <= 4; level++)
		EXPECT_EQ(pte(p, level) & PTE_A, PTE_A);
	return true;
}

static bool frames_come_back(void)
{
	uint64_t before;
	int64_t p = mmap(72 * PAGE_BYTES, 0);

	munmap((void *)p, 72 * PAGE_BYTES);
	before = free_pages();
	p = mmap(72 * PAGE_BYTES, 0); /* in the same page table: nothing stays behind */
	EXPECT(before - free_pages() >= 72);
	munmap((void *)p, 72 * PAGE_BYTES);
	EXPECT(before - free_pages() <= 1);
	return true;
}

static bool refusals(void)
{
	static const char text[] = "x";

	EXPECT_EQ(sys(1000, 0, 0, 0), -ENOSYS);
	EXPECT_EQ(sys(~0ull, 0, 0, 0), -ENOSYS);
	EXPECT_EQ(mmap(0, 0), -EINVAL);
	EXPECT_EQ(mmap(~0ull, 0), -EINVAL);
	EXPECT_EQ(mmap(1ull << 38, 0), -ENOMEM);
	EXPECT_EQ(mmap(1ull << 38, MMAP_HUGE), -ENOMEM);
	EXPECT_EQ(munmap(text, PAGE_BYTES), -EINVAL);
	EXPECT_EQ(mprotect((void *)KERNEL_PAGE(DATA_PAGE), PAGE_BYTES, PROT_W), -EINVAL);
	EXPECT_EQ(spawn("hello", 1000), -EINVAL);
	EXPECT_EQ(sys(SYS_PTE, 0, 5, 0), -EINVAL);
	return true;
}

static bool bad_pointers(void)
{
	EXPECT_EQ(write((void *)0x1000, 1), -EFAULT);
	EXPECT_EQ(write((void *)KERNEL_PAGE(TEXT_PAGE), 1), -EFAULT);
	EXPECT_EQ(write((void *)0x8000000000000000, 1), -EFAULT);
	EXPECT_EQ(write((void *)USER_BASE, ~0ull), -EFAULT);
	EXPECT_EQ(spawn((const char *)0x1000, SPAWN_HERE), -EFAULT);
	EXPECT_EQ(spawn((const char *)KERNEL_PAGE(RODATA_PAGE), SPAWN_HERE), -EFAULT);
	return true;
}

const struct test memory_tests[] = {
    {"memory-small-pages", small_pages},
    {"memory-lazy-pages", lazy_pages},
    {"memory-huge-pages", huge_pages},
    {"memory-unmap", unmap},
    {"memory-reuse-is-zeroed", reuse_is_zeroed},
    {"memory-accessed-dirty", accessed_dirty},
    {"memory-frames-come-back", frames_come_back},
    {"syscall-refusals", refusals},
    {"syscall-bad-pointers", bad_pointers},
    {0},
};
