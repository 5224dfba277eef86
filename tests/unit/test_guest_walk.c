/* SPDX-License-Identifier: MIT */
/* Which bits of an entry are reserved: by level, and by what the CPU has. */
#include <criterion/criterion.h>

#include "walk/guest_walk.h"

static uint64_t reserved(struct walk_mode mode, uint64_t entry, int level)
{
	mode.maxphyaddr = mode.maxphyaddr ? mode.maxphyaddr : 40;
	return gpte_reserved(&mode, (gpte_t){entry | PTE_P}, level) & ~(PTE_ADDR & ~((1ull << mode.maxphyaddr) - 1));
}

/* AMD's CPUs reserve G at level 4, Intel's do not; below it is ignored, or has its meaning. */
Test(guest_walk, global)
{
	for (int level = 1; level <= 4; level++) {
		const struct walk_mode amd = {.nxe = true, .gbpages = true, .pml4_global_reserved = true};
		const struct walk_mode intel = {.nxe = true, .gbpages = true};

		cr_expect_eq(reserved(amd, PTE_G, level) & PTE_G, level == 4 ? PTE_G : 0);
		cr_expect_eq(reserved(intel, PTE_G, level) & PTE_G, 0);
	}
}

Test(guest_walk, page_size)
{
	const struct walk_mode with = {.nxe = true, .gbpages = true}, without = {.nxe = true};

	cr_expect_eq(reserved(with, 0, 4), PTE_PS);
	cr_expect_eq(reserved(without, 0, 3), PTE_PS);
	cr_expect_eq(reserved(with, 0, 3), 0);
	cr_expect_eq(reserved(without, 0, 2), 0);
	cr_expect_eq(reserved(without, PTE_PS, 2), 0x1fe000); /* but for bit 12, PAT */
	cr_expect_eq(reserved(with, PTE_PS, 3), 0x3fffe000);
}

Test(guest_walk, no_execute)
{
	for (int level = 1; level <= 4; level++) {
		cr_expect_eq(reserved((struct walk_mode){.gbpages = true}, 0, level) & PTE_NX, PTE_NX);
		cr_expect_eq(reserved((struct walk_mode){.nxe = true, .gbpages = true}, 0, level) & PTE_NX, 0);
	}
}

Test(guest_walk, address_bits)
{
	for (int bits = 36; bits <= 52; bits++) {
		const struct walk_mode mode = {.nxe = true, .gbpages = true, .maxphyaddr = (uint8_t)bits};

		cr_expect_eq(gpte_reserved(&mode, (gpte_t){PTE_P}, 1), PTE_ADDR & ~((1ull << bits) - 1), "%d", bits);
	}
}
