/* SPDX-License-Identifier: MIT */
/*
 * How an entry of an extended page table is read (SDM vol. 3, 28.3.2, tables 28-1 to 28-7), inline: for format_ept.c
 * and for the second stage's lookups, which cannot afford a call an entry.
 *
 *     63..52   51 ........ 12  11 10  9  8   7    6    5..3  2  1  0
 *     ignored     address      sw     D  A  leaf IPAT  type  X  W  R
 *
 * A table entry reserves bits 7:3; a large leaf reserves its address bits below its size.
 * W without R is a misconfiguration; execute-only needs bit 0 of
 * IA32_VMX_EPT_VPID_CAP. A and D act when bit 6 of the EPT pointer is set. Of the ignored
 * bits, 57 and up have later uses, so software bits are 11 and 52 to 54.
 *
 * Parts: bits; geometry; predicates; attributes.
 */
#ifndef GNOMON_PGTABLE_EPT_H
#define GNOMON_PGTABLE_EPT_H

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

#define EPT_LEVELS 4

static inline unsigned ept_shift(int level)
{
	return PAGE_SHIFT + 9 * (level - 1);
}

static inline uint64_t ept_span(int level)
{
	return 1ull << ept_shift(level);
}

static inline unsigned ept_index(uint64_t gpa, int level)
{
	return gpa >> ept_shift(level) & 511;
}

static inline bool ept_is_present(pte_t e, int level)
{
	return pte_raw(e) & EPT_RWX;
}

static inline bool ept_is_leaf(pte_t e, int level)
{
	return ept_is_present(e, level) && (level == 1 || (level < 4 && (pte_raw(e) & EPT_LEAF)));
}

static inline uint64_t ept_address(pte_t e, int level)
{
	uint64_t below = ept_is_leaf(e, level) ? ept_span(level) - 1 : 0;

	return pte_raw(e) & EPT_ADDR & ~below;
}

static inline pt_attrs_t ept_get_attrs(pte_t e, int level)
{
	uint64_t r = pte_raw(e);

	return (r & EPT_R ? PT_R : 0) | (r & EPT_W ? PT_W : 0) | (r & EPT_X ? PT_X : 0) | (r & EPT_A ? PT_A : 0) |
	       (r & EPT_D ? PT_D : 0) | ((r & EPT_TYPE) == EPT_TYPE_UC ? PT_MMIO : 0) | (r & EPT_SW0 ? PT_SW0 : 0) |
	       (r & EPT_SW1 ? PT_SW1 : 0) | (r & EPT_SW2 ? PT_SW2 : 0) | (r & EPT_SW3 ? PT_SW3 : 0);
}

#endif
