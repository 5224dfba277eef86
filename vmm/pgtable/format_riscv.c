/* SPDX-License-Identifier: MIT */
/*
 * RISC-V Sv39, Sv48 and Sv57, privileged architecture 4.3 to 4.6, without Svpbmt and Svnapot.
 *
 *     63  62..61  60..54    53 ....... 10  9..8  7  6  5  4  3  2  1  0
 *     N    PBMT   reserved   page number   RSW   D  A  G  U  X  W  R  V
 *
 * An entry with V and neither R, W nor X points to a table and reserves D, A and U; W without
 * R is reserved. Every level may hold leaves; the page number bits below a leaf's size must
 * be zero. The CPU may remember V = 0 until SFENCE.VMA (4.2.1).
 *
 * Parts: predicates; attributes; constructors; the three formats.
 */
#include "pgtable/format.h"

#define RV_V        (1ull << 0)
#define RV_R        (1ull << 1)
#define RV_W        (1ull << 2)
#define RV_X        (1ull << 3)
#define RV_U        (1ull << 4)
#define RV_G        (1ull << 5)
#define RV_A        (1ull << 6)
#define RV_D        (1ull << 7)
#define RV_RSW0     (1ull << 8)
#define RV_RSW1     (1ull << 9)
#define RV_PPN      0x003ffffffffffc00ull
#define RV_PPN_LOW  2 /* the page number stands two bits lower than the address it means */
#define RV_RESERVED 0xffc0000000000000ull

#define TABLE_RESERVED (RV_RESERVED | RV_D | RV_A | RV_U)
/* Page number bits that a leaf with 2^shift bytes must leave zero. */
#define LEAF_RESERVED(shift) (RV_RESERVED | (((1ull << (shift)) - PAGE_SIZE) >> RV_PPN_LOW))

static bool rv_is_present(pte_t e, int level)
{
	return pte_raw(e) & RV_V;
}

static bool rv_is_leaf(pte_t e, int level)
{
	return (pte_raw(e) & RV_V) && (pte_raw(e) & (RV_R | RV_W | RV_X));
}

static uint64_t rv_address(pte_t e, int level)
{
	return (pte_raw(e) & RV_PPN) << RV_PPN_LOW;
}

static pt_attrs_t rv_get_attrs(pte_t e, int level)
{
	uint64_t r = pte_raw(e);

	return (r & RV_R ? PT_R : 0) | (r & RV_W ? PT_W : 0) | (r & RV_X ? PT_X : 0) | (r & RV_U ? PT_U : 0) |
	       (r & RV_A ? PT_A : 0) | (r & RV_D ? PT_D : 0) | (r & RV_G ? PT_G : 0) | (r & RV_RSW0 ? PT_SW0 : 0) |
	       (r & RV_RSW1 ? PT_SW1 : 0);
}

static bool rv_allows(pt_attrs_t attrs)
{
	return (attrs & PT_RWX) && (!(attrs & PT_W) || (attrs & PT_R));
}

static pte_t rv_make_table(int level, uint64_t address)
{
	return pte_init(address >> RV_PPN_LOW | RV_V);
}

static pte_t rv_make_leaf(int level, uint64_t address, pt_attrs_t a)
{
	return pte_init(address >> RV_PPN_LOW | RV_V | (a & PT_R ? RV_R : 0) | (a & PT_W ? RV_W : 0) |
	                (a & PT_X ? RV_X : 0) | (a & PT_U ? RV_U : 0) | (a & PT_A ? RV_A : 0) | (a & PT_D ? RV_D : 0) |
	                (a & PT_G ? RV_G : 0) | (a & PT_SW0 ? RV_RSW0 : 0) | (a & PT_SW1 ? RV_RSW1 : 0));
}

#define RV_LEVELS_1_TO_3                                                                                               \
	[1] = {12, 9, true, LEAF_RESERVED(12), TABLE_RESERVED},                                                        \
	[2] = {21, 9, true, LEAF_RESERVED(21), TABLE_RESERVED}, [3] = {30, 9, true, LEAF_RESERVED(30), TABLE_RESERVED}

#define RV_COMMON                                                                                                      \
	.phys_bits = 56, .sign_extended = true, .denials_stick = true,                                                 \
	.attrs = PT_RWX | PT_U | PT_AD | PT_G | PT_SW0 | PT_SW1, .is_present = rv_is_present, .is_leaf = rv_is_leaf,   \
	.address = rv_address, .get_attrs = rv_get_attrs, .allows = rv_allows, .make_table = rv_make_table,            \
	.make_leaf = rv_make_leaf

const struct pt_format pt_sv39 = {
    .name = "sv39",
    .levels = 3,
    .level = {RV_LEVELS_1_TO_3},
    RV_COMMON,
};

const struct pt_format pt_sv48 = {
    .name = "sv48",
    .levels = 4,
    .level = {RV_LEVELS_1_TO_3, [4] = {39, 9, true, LEAF_RESERVED(39), TABLE_RESERVED}},
    RV_COMMON,
};

const struct pt_format pt_sv57 = {
    .name = "sv57",
    .levels = 5,
    .level = {RV_LEVELS_1_TO_3, [4] = {39, 9, true, LEAF_RESERVED(39), TABLE_RESERVED},
              [5] = {48, 9, true, LEAF_RESERVED(48), TABLE_RESERVED}},
    RV_COMMON,
};
