/* SPDX-License-Identifier: MIT */
/* The kernel's own address space: what it may do to itself, what programs may not see. */
#include "selftest.h"

#define SIGN        0xffff000000000000
#define SELF(shift) ((uint64_t)SELF_SLOT << (shift))
#define SELF_PML4   (SIGN | SELF(39) | SELF(30) | SELF(21) | SELF(12)) /* where the PML4 shows itself */
#define UNUSED_DATA (KERNEL_PAGE(TABLES_PAGE) + 8 * 300)               /* an empty slot of the boot PML4 */

static bool kernel_write_xor_execute(void)
{
	EXPECT_EQ(touch(KERNEL_PAGE(TEXT_PAGE), TOUCH_READ), 0);
	EXPECT_EQ(touch(KERNEL_PAGE(TEXT_PAGE), TOUCH_WRITE), TOUCH_RESULT(VEC_PF, PFEC_P | PFEC_W));
	EXPECT_EQ(touch(KERNEL_PAGE(RODATA_PAGE), TOUCH_READ), 0);
	EXPECT_EQ(touch(KERNEL_PAGE(RODATA_PAGE), TOUCH_WRITE), TOUCH_RESULT(VEC_PF, PFEC_P | PFEC_W));
	EXPECT_EQ(touch(KERNEL_PAGE(RODATA_PAGE), TOUCH_FETCH), TOUCH_RESULT(VEC_PF, PFEC_P | PFEC_I));
	EXPECT_EQ(touch(UNUSED_DATA, TOUCH_WRITE), 0);
	EXPECT_EQ(touch(UNUSED_DATA, TOUCH_FETCH), TOUCH_RESULT(VEC_PF, PFEC_P | PFEC_I));
	return true;
}

/* CR0.WP: the kernel cannot write a program's read-only page either. */
static bool kernel_obeys_user_pages(void)
{
	uint64_t p = mmap(PAGE_BYTES, 0);

	EXPECT_EQ(touch(p, TOUCH_WRITE), 0);
	EXPECT_EQ(touch(p, TOUCH_FETCH), TOUCH_RESULT(VEC_PF, PFEC_P | PFEC_I));
	mprotect((void *)p, PAGE_BYTES, 0);
	EXPECT_EQ(touch(p, TOUCH_WRITE), TOUCH_RESULT(VEC_PF, PFEC_P | PFEC_W));
	munmap((void *)p, PAGE_BYTES);
	EXPECT_EQ(touch(p, TOUCH_READ), TOUCH_RESULT(VEC_PF, 0));
	EXPECT_EQ(touch(p, TOUCH_WRITE), TOUCH_RESULT(VEC_PF, PFEC_W));
	EXPECT_EQ(touch(0x8000000000000000, TOUCH_READ), TOUCH_RESULT(VEC_GP, 0));
	return true;
}

static bool guard_pages(void)
{
	EXPECT_EQ(touch(CPU_AREA(0) + PAGE_BYTES, TOUCH_WRITE), TOUCH_RESULT(VEC_PF, PFEC_W));
	EXPECT_FAULT(do_write, USTACK_TOP - USTACK_PAGES * PAGE_BYTES - 8, VEC_PF, PFEC_U | PFEC_W);
	EXPECT_FAULT(do_write, USTACK_TOP, VEC_PF, PFEC_U | PFEC_W);
	return true;
}

/* No page of the 2 MiB at `base` is writable and executable, and `user` is who may see them. */
static bool no_page_is_both(uint64_t base, uint64_t user)
{
	for (uint64_t va = base; va < base + 512 * PAGE_BYTES; va += PAGE_BYTES) {
		uint64_t e = pte((void *)va, 1);

		if (!(e & PTE_P))
			continue;
		if ((e & PTE_W && !(e & PTE_NX)) || (e & PTE_U) != user)
			return fail("the entry for 0x%x is 0x%x", va, e);
	}
	return true;
}

static bool every_page(void)
{
	return no_page_is_both(KERNEL_VIRT, 0) && no_page_is_both(USER_BASE, PTE_U);
}

static bool self_map(void)
{
	uint64_t self = pte((void *)SELF_PML4, 4);

	EXPECT_EQ(self & (PTE_P | PTE_W | PTE_U | PTE_NX), PTE_P | PTE_W | PTE_NX);
	for (int level = 1; level < 4; level++)
		EXPECT_EQ(pte((void *)SELF_PML4, level) & PTE_ADDR, self & PTE_ADDR);
	EXPECT_EQ(pte((void *)KERNEL_PAGE(TEXT_PAGE), 1) & PTE_ADDR, IMAGE_PHYS(TEXT_PAGE));
	EXPECT_EQ(pte((void *)USER_PAGE(UTEXT_AT), 1) & PTE_ADDR, IMAGE_PHYS(UTEXT_PAGE));
	/* No table lies in the 2 MiB that code is executed in (layout.h). */
	for (int level = 2; level <= 4; level++)
		EXPECT_EQ((pte((void *)USER_PAGE(UTEXT_AT), level) & PTE_ADDR) < KERNEL_PHYS, true);
	EXPECT_EQ((self & PTE_ADDR) < KERNEL_PHYS, true);
	EXPECT_EQ(pte((void *)GNOMON_BOOT_VIRT, 2) & (PTE_P | PTE_W | PTE_PS | PTE_NX), PTE_P | PTE_PS | PTE_NX);
	return true;
}

static bool self_map_is_hidden(void)
{
	EXPECT_FAULT(do_read, SELF_PML4, VEC_PF, PFEC_P | PFEC_U);
	EXPECT_FAULT(do_write, SELF_PML4 + 8 * SELF_SLOT, VEC_PF, PFEC_P | PFEC_U | PFEC_W);
	EXPECT_EQ(write((void *)SELF_PML4, 8), -EFAULT);
	return true;
}

const struct test kernel_tests[] = {
    {"kernel-write-xor-execute", kernel_write_xor_execute},
    {"kernel-obeys-user-pages", kernel_obeys_user_pages},
    {"kernel-guard-pages", guard_pages},
    {"kernel-every-page", every_page},
    {"kernel-self-map", self_map},
    {"kernel-self-map-is-hidden", self_map_is_hidden},
    {0},
};
