/* SPDX-License-Identifier: MIT */
/*
 * x86-64 long-mode tables, APM2 5.3 and SDM vol. 3, 4.5.
 *
 *     63  62..52  51 ........ 12  11 10 9   8   7   6   5   4    3   2   1   0
 *     NX  ignored    address      software  G  PS   D   A  PCD  PWT  U   W   P
 *
 * Bit 7 is PAT at level 1, the page-size bit at levels 2 and 3 and reserved above. A large
 * leaf's address bits below its size are reserved, but for bit 12, which is its PAT.
 *
 * Parts: predicates; attributes; constructors; the two formats.
 */
#include <gnomon/x86.h>

#include "pgtable/format.h"

#define X86_SW0 (1ull << 9)
#define X86_SW1 (1ull << 10)
#define X86_SW2 (1ull << 11)
#define X86_UC  (PTE_PCD | PTE_PWT) /* uncacheable under the reset value of PAT, APM2 7.8.2 */

#define RESERVED_2M 0x00000000001fe000ull /* 20:13 */
#define RESERVED_1G 0x000000003fffe000ull /* 29:13 */

static bool x86_is_present(pte_t e, int level)
{
	return pte_raw(e) & PTE_P;
}

static bool x86_is_leaf(pte_t e, int level)
{
	return (pte_raw(e) & PTE_P) && (level == 1 || ((level == 2 || level == 3) && (pte_raw(e) & PTE_PS)));
}

static uint64_t x86_address(pte_t e, int level)
{
	uint64_t below = x86_is_leaf(e, level) ? (1ull << (PAGE_SHIFT + 9 * (level - 1))) - 1 : 0;

	return pte_raw(e) & PTE_ADDR & ~below;
}

static pt_attrs_t x86_get_attrs(pte_t e, int level)
{
	uint64_t r = pte_raw(e);

	return PT_R | (r & PTE_W ? PT_W : 0) | (r & PTE_NX ? 0 : PT_X) | (r & PTE_U ? PT_U : 0) |
	       (r & PTE_A ? PT_A : 0) | (r & PTE_D ? PT_D : 0) | (r & PTE_PCD ? PT_MMIO : 0) | (r & PTE_G ? PT_G : 0) |
	       (r & X86_SW0 ? PT_SW0 : 0) | (r & X86_SW1 ? PT_SW1 : 0) | (r & X86_SW2 ? PT_SW2 : 0);
}

static bool x86_allows(pt_attrs_t attrs)
{
	return attrs & PT_R;
}

/* Accessed from the start, so that the CPU has no reason to write to a table entry. */
static pte_t x86_make_table(int level, uint64_t address)
{
	return pte_init(address | PTE_P | PTE_W | PTE_U | PTE_A);
}

static pte_t x86_make_leaf(int level, uint64_t address, pt_attrs_t a)
{
	return pte_init(address | PTE_P | (level > 1 ? PTE_PS : 0) | (a & PT_W ? PTE_W : 0) | (a & PT_X ? 0 : PTE_NX) |
	                (a & PT_U ? PTE_U : 0) | (a & PT_A ? PTE_A : 0) | (a & PT_D ? PTE_D : 0) |
	                (a & PT_MMIO ? X86_UC : 0) | (a & PT_G ? PTE_G : 0) | (a & PT_SW0 ? X86_SW0 : 0) |
	                (a & PT_SW1 ? X86_SW1 : 0) | (a & PT_SW2 ? X86_SW2 : 0));
}

#define X86_LEVELS_1_TO_4                                                                                              \
	[1] = {12, 9, true, 0, 0}, [2] = {21, 9, true, RESERVED_2M, 0}, [3] = {30, 9, true, RESERVED_1G, 0},           \
	[4] = {39, 9, false, 0, PTE_PS}

#define X86_COMMON                                                                                                     \
	.phys_bits = 52, .sign_extended = true, .page_size_bit = PTE_PS,                                               \
	.attrs = PT_RWX | PT_U | PT_AD | PT_MMIO | PT_G | PT_SW0 | PT_SW1 | PT_SW2, .is_present = x86_is_present,      \
	.is_leaf = x86_is_leaf, .address = x86_address, .get_attrs = x86_get_attrs, .allows = x86_allows,              \
	.make_table = x86_make_table, .make_leaf = x86_make_leaf

const struct pt_format pt_x86_64 = {
    .name = "x86-64",
    .levels = 4,
    .level = {X86_LEVELS_1_TO_4},
    X86_COMMON,
};

const struct pt_format pt_x86_64_la57 = {
    .name = "x86-64-la57",
    .levels = 5,
    .level = {X86_LEVELS_1_TO_4, [5] = {48, 9, false, 0, PTE_PS}},
    X86_COMMON,
};
