/* SPDX-License-Identifier: MIT */
/*
 * Extended page tables, SDM vol. 3, 28.3.2 (tables 28-1 to 28-7).
 *
 *     63..52   51 ........ 12  11 10  9  8   7    6    5..3  2  1  0
 *     ignored     address      sw     D  A  leaf IPAT  type  X  W  R
 *
 * A table entry reserves bits 7:3; a large leaf reserves its address bits below its size.
 * W without R is a misconfiguration; execute-only needs bit 0 of
 * IA32_VMX_EPT_VPID_CAP. A and D act when bit 6 of the EPT pointer is set. Of the ignored
 * bits, 57 and up have later uses, so software bits are 11 and 52 to 54.
 *
 * Parts: predicates; attributes; constructors; the format.
 */
#include "pgtable/format.h"

#define EPT_R       (1ull << 0)
#define EPT_W       (1ull << 1)
#define EPT_X       (1ull << 2)
#define EPT_RWX     (EPT_R | EPT_W | EPT_X)
#define EPT_TYPE    (7ull << 3)
#define EPT_TYPE_UC (0ull << 3)
#define EPT_TYPE_WB (6ull << 3)
#define EPT_LEAF    (1ull << 7)
#define EPT_A       (1ull << 8)
#define EPT_D       (1ull << 9)
#define EPT_SW0     (1ull << 11)
#define EPT_SW1     (1ull << 52)
#define EPT_SW2     (1ull << 53)
#define EPT_SW3     (1ull << 54)
#define EPT_ADDR    0x000ffffffffff000ull

#define TABLE_RESERVED 0x00000000000000f8ull /* 7:3; bit 7 set at levels 2 and 3 makes a leaf instead */
#define RESERVED_2M    0x00000000001ff000ull /* 20:12 */
#define RESERVED_1G    0x000000003ffff000ull /* 29:12 */

static bool ept_is_present(pte_t e, int level)
{
	return pte_raw(e) & EPT_RWX;
}

static bool ept_is_leaf(pte_t e, int level)
{
	return ept_is_present(e, level) && (level == 1 || (level < 4 && (pte_raw(e) & EPT_LEAF)));
}

static uint64_t ept_address(pte_t e, int level)
{
	uint64_t below = ept_is_leaf(e, level) ? (1ull << (PAGE_SHIFT + 9 * (level - 1))) - 1 : 0;

	return pte_raw(e) & EPT_ADDR & ~below;
}

static pt_attrs_t ept_get_attrs(pte_t e, int level)
{
	uint64_t r = pte_raw(e);

	return (r & EPT_R ? PT_R : 0) | (r & EPT_W ? PT_W : 0) | (r & EPT_X ? PT_X : 0) | (r & EPT_A ? PT_A : 0) |
	       (r & EPT_D ? PT_D : 0) | ((r & EPT_TYPE) == EPT_TYPE_UC ? PT_MMIO : 0) | (r & EPT_SW0 ? PT_SW0 : 0) |
	       (r & EPT_SW1 ? PT_SW1 : 0) | (r & EPT_SW2 ? PT_SW2 : 0) | (r & EPT_SW3 ? PT_SW3 : 0);
}

/* No right at all would be an absent entry; W without R is a misconfiguration, 28.3.3.1. */
static bool ept_allows(pt_attrs_t attrs)
{
	return (attrs & PT_RWX) && (!(attrs & PT_W) || (attrs & PT_R));
}

/* Accessed from the start, so that the CPU has no reason to write to a table entry. */
static pte_t ept_make_table(int level, uint64_t address)
{
	return pte_init(address | EPT_RWX | EPT_A);
}

static pte_t ept_make_leaf(int level, uint64_t address, pt_attrs_t a)
{
	return pte_init(address | (level > 1 ? EPT_LEAF : 0) | (a & PT_R ? EPT_R : 0) | (a & PT_W ? EPT_W : 0) |
	                (a & PT_X ? EPT_X : 0) | (a & PT_A ? EPT_A : 0) | (a & PT_D ? EPT_D : 0) |
	                (a & PT_MMIO ? EPT_TYPE_UC : EPT_TYPE_WB) | (a & PT_SW0 ? EPT_SW0 : 0) |
	                (a & PT_SW1 ? EPT_SW1 : 0) | (a & PT_SW2 ? EPT_SW2 : 0) | (a & PT_SW3 ? EPT_SW3 : 0));
}

const struct pt_format pt_ept = {
	.name = "ept",
	.levels = 4,
	.phys_bits = 52,
	.attrs = PT_RWX | PT_AD | PT_MMIO | PT_SW,
	.level = {[1] = {12, 9, true, 0, 0},
              [2] = {21, 9, true, RESERVED_2M, TABLE_RESERVED},
              [3] = {30, 9, true, RESERVED_1G, TABLE_RESERVED},
              [4] = {39, 9, false, 0, TABLE_RESERVED}},
	.is_present = ept_is_present,
	.is_leaf = ept_is_leaf,
	.address = ept_address,
	.get_attrs = ept_get_attrs,
	.allows = ept_allows,
	.make_table = ept_make_table,
	.make_leaf = ept_make_leaf,
};
