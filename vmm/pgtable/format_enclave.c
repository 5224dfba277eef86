/* SPDX-License-Identifier: MIT */
/*
 * The enclave stage, Gnomon's own: indexed by machine address, a leaf says who owns the
 * frame, with which rights, and at which address it may appear.
 *
 *     63..52   51 ................. 12   11..10   9..8  7..5  4  3  2   1     0
 *     owner    may appear at / table    reserved   sw   resv  X  W  R  leaf present
 *
 * No CPU walks it, so there are no A and D bits and nothing is cached but views composed
 * from it, which the flush of the composer covers. A frame may be owned without any right
 * (while the enclave is built); it may not be without an owner.
 *
 * Parts: predicates; attributes; constructors; the format.
 */
#include "pgtable/format.h"

#define S3_P           (1ull << 0)
#define S3_LEAF        (1ull << 1)
#define S3_R           (1ull << 2)
#define S3_W           (1ull << 3)
#define S3_X           (1ull << 4)
#define S3_SW0         (1ull << 8)
#define S3_SW1         (1ull << 9)
#define S3_ADDR        0x000ffffffffff000ull
#define S3_OWNER_SHIFT 52

#define LEAF_RESERVED  0x0000000000000ce0ull /* 11:10, 7:5 */
#define TABLE_RESERVED 0xfff0000000000ffcull /* all but present and address; a set leaf bit makes a leaf */

static bool s3_is_present(pte_t e, int level)
{
	return pte_raw(e) & S3_P;
}

static bool s3_is_leaf(pte_t e, int level)
{
	return (pte_raw(e) & S3_P) && (pte_raw(e) & S3_LEAF);
}

static uint64_t s3_address(pte_t e, int level)
{
	return pte_raw(e) & S3_ADDR;
}

static pt_attrs_t s3_get_attrs(pte_t e, int level)
{
	uint64_t r = pte_raw(e);

	return PT_OWNER(r >> S3_OWNER_SHIFT) | (r & S3_R ? PT_R : 0) | (r & S3_W ? PT_W : 0) | (r & S3_X ? PT_X : 0) |
	       (r & S3_SW0 ? PT_SW0 : 0) | (r & S3_SW1 ? PT_SW1 : 0);
}

static bool s3_allows(pt_attrs_t attrs)
{
	return attrs & PT_OWNER_MASK;
}

static pte_t s3_make_table(int level, uint64_t address)
{
	return pte_init(address | S3_P);
}

static pte_t s3_make_leaf(int level, uint64_t address, pt_attrs_t a)
{
	uint64_t owner = (a & PT_OWNER_MASK) >> PT_OWNER_SHIFT;

	return pte_init(owner << S3_OWNER_SHIFT | address | S3_P | S3_LEAF | (a & PT_R ? S3_R : 0) |
	                (a & PT_W ? S3_W : 0) | (a & PT_X ? S3_X : 0) | (a & PT_SW0 ? S3_SW0 : 0) |
	                (a & PT_SW1 ? S3_SW1 : 0));
}

const struct pt_format pt_enclave = {
    .name = "enclave",
    .levels = 4,
    .phys_bits = 52,
    .attrs = PT_RWX | PT_SW0 | PT_SW1 | PT_OWNER_MASK,
    .level = {[1] = {12, 9, true, LEAF_RESERVED, TABLE_RESERVED},
              [2] = {21, 9, true, LEAF_RESERVED | (PAGE_2M - PAGE_SIZE), TABLE_RESERVED},
              [3] = {30, 9, true, LEAF_RESERVED | (PAGE_1G - PAGE_SIZE), TABLE_RESERVED},
              [4] = {39, 9, false, ~0ull, TABLE_RESERVED}},
    .is_present = s3_is_present,
    .is_leaf = s3_is_leaf,
    .address = s3_address,
    .get_attrs = s3_get_attrs,
    .allows = s3_allows,
    .make_table = s3_make_table,
    .make_leaf = s3_make_leaf,
};
