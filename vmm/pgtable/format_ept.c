/* SPDX-License-Identifier: MIT */
/*
 * Extended page tables as a format; ept.h has the picture of an entry and how it is read.
 *
 * Parts: which leaves are allowed; constructors; the format.
 */
#include "pgtable/ept.h"

#define TABLE_RESERVED 0x00000000000000f8ull /* 7:3; bit 7 set at levels 2 and 3 makes a leaf instead */
#define RESERVED_2M    0x00000000001ff000ull /* 20:12 */
#define RESERVED_1G    0x000000003ffff000ull /* 29:12 */

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
    .levels = EPT_LEVELS,
    .phys_bits = 52,
    .page_size_bit = EPT_LEAF,
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
