/* SPDX-License-Identifier: MIT */
/*
 * Radix page-table formats as data. A format says where the bits are; it knows no tree.
 *
 *    address   | index 4 | index 3 | index 2 | index 1 | offset |      level[l].shift, .bits
 *                   |         |         |         |
 *    root --> table 4 --> table 3 --> table 2 --> table 1 --> 4 KiB leaf
 *                             `--> 1 GiB  `--> 2 MiB leaf               level[l].leaf
 *
 * Levels count from 1 (the 4 KiB leaf level) up to `levels` (the root). An entry is
 * absent, a table entry or a leaf; absent entries are all zero in a tree of ours.
 *
 * Parts: generic attributes; the entry type; the format; what follows from a format alone
 * (spans, indices, canonical addresses, reserved bits, whether a change owes a flush).
 */
#ifndef GNOMON_PGTABLE_FORMAT_H
#define GNOMON_PGTABLE_FORMAT_H

#include <gnomon/addr.h>
#include <stdbool.h>
#include <stdint.h>

#define PT_LEVELS_MAX 5

/*
 * Attributes of a leaf, the same words for every format. A format's `attrs` says which it
 * can hold; x86 cannot say "not readable", RISC-V cannot say "MMIO".
 */
typedef uint32_t pt_attrs_t;

#define PT_R    (1u << 0)
#define PT_W    (1u << 1)
#define PT_X    (1u << 2)
#define PT_U    (1u << 3) /* user mode */
#define PT_A    (1u << 4) /* accessed; the CPU may set it at any time */
#define PT_D    (1u << 5) /* dirty; the CPU may set it at any time */
#define PT_MMIO (1u << 6) /* uncached */
#define PT_G    (1u << 7) /* global: survives a change of root */
#define PT_SW0  (1u << 8) /* software's; every format has SW0 and SW1 */
#define PT_SW1  (1u << 9)
#define PT_SW2  (1u << 10)
#define PT_SW3  (1u << 11)

/* Enclave-stage owner, 1 to PT_OWNER_MAX. */
#define PT_OWNER_SHIFT 16
#define PT_OWNER_MAX   0xfffu
#define PT_OWNER(n)    ((pt_attrs_t)(n) << PT_OWNER_SHIFT)
#define PT_OWNER_MASK  PT_OWNER(PT_OWNER_MAX)

#define PT_RWX (PT_R | PT_W | PT_X)
#define PT_AD  (PT_A | PT_D)
#define PT_SW  (PT_SW0 | PT_SW1 | PT_SW2 | PT_SW3)

/* An entry of any format; means nothing without its format and its level. */
typedef struct {
	uint64_t raw;
} pte_t;

static inline pte_t pte_init(uint64_t raw)
{
	return (pte_t){raw};
}
static inline uint64_t pte_raw(pte_t e)
{
	return e.raw;
}

struct pt_level {
	uint8_t shift; /* lowest address bit of the index */
	uint8_t bits;  /* width of the index */
	bool leaf;     /* may hold leaves; such levels run from 1 up without a gap */
	uint64_t leaf_reserved;
	uint64_t table_reserved;
};

struct pt_format {
	const char *name;
	int levels;
	uint8_t phys_bits;                        /* widest address an entry can hold */
	bool sign_extended;                       /* the input address repeats its top bit up to bit 63 */
	bool denials_stick;                       /* the CPU may remember an absence or a lesser right until a flush */
	pt_attrs_t attrs;                         /* all that a leaf can hold */
	uint64_t page_size_bit;                   /* makes an entry of an upper level a leaf; 0: something else does */
	struct pt_level level[PT_LEVELS_MAX + 1]; /* [0] is unused */

	bool (*is_present)(pte_t e, int level);
	bool (*is_leaf)(pte_t e, int level); /* false for an absent entry */
	/* Where a table or leaf entry points: the only place that takes an address out of an entry. */
	uint64_t (*address)(pte_t e, int level);
	pt_attrs_t (*get_attrs)(pte_t e, int level); /* of a leaf */
	/* Whether the manual allows this combination in a leaf; `attrs` is within .attrs. */
	bool (*allows)(pt_attrs_t attrs);
	/* The table entry gives every right: leaves decide. */
	pte_t (*make_table)(int level, uint64_t address);
	pte_t (*make_leaf)(int level, uint64_t address, pt_attrs_t attrs);
};

extern const struct pt_format pt_x86_64;      /* 4-level, APM2 5.3; Intel SDM vol. 3, 4.5 */
extern const struct pt_format pt_x86_64_la57; /* 5-level */
extern const struct pt_format pt_ept;         /* SDM vol. 3, 28.3.2 */
extern const struct pt_format pt_sv39;        /* RISC-V privileged architecture, 4.4 */
extern const struct pt_format pt_sv48;        /* 4.5 */
extern const struct pt_format pt_sv57;        /* 4.6 */
extern const struct pt_format pt_enclave;     /* maddr -> owner, rights, where it may appear */

static inline uint64_t pt_span(const struct pt_format *fmt, int level)
{
	return 1ull << fmt->level[level].shift;
}

static inline unsigned pt_nr_entries(const struct pt_format *fmt, int level)
{
	return 1u << fmt->level[level].bits;
}

static inline int pt_va_bits(const struct pt_format *fmt)
{
	return fmt->level[fmt->levels].shift + fmt->level[fmt->levels].bits;
}

/* The highest address with the sign extension taken off. */
static inline uint64_t pt_linear_max(const struct pt_format *fmt)
{
	return (1ull << pt_va_bits(fmt)) - 1;
}

static inline uint64_t pt_linear(const struct pt_format *fmt, uint64_t va)
{
	return va & pt_linear_max(fmt);
}

/* Puts the sign extension back. */
static inline uint64_t pt_canonical(const struct pt_format *fmt, uint64_t linear)
{
	bool upper = fmt->sign_extended && linear >> (pt_va_bits(fmt) - 1);

	return upper ? linear | ~pt_linear_max(fmt) : linear;
}

static inline bool pt_is_canonical(const struct pt_format *fmt, uint64_t va)
{
	return pt_canonical(fmt, pt_linear(fmt, va)) == va;
}

static inline unsigned pt_index(const struct pt_format *fmt, uint64_t va, int level)
{
	return va >> fmt->level[level].shift & (pt_nr_entries(fmt, level) - 1);
}

static inline bool pt_is_table(const struct pt_format *fmt, pte_t e, int level)
{
	return fmt->is_present(e, level) && !fmt->is_leaf(e, level);
}

/* The same leaf with other attributes. */
static inline pte_t pt_with_attrs(const struct pt_format *fmt, pte_t e, int level, pt_attrs_t attrs)
{
	return fmt->make_leaf(level, fmt->address(e, level), attrs);
}

/* True when a leaf can hold exactly `attrs`. */
bool pt_attrs_ok(const struct pt_format *fmt, pt_attrs_t attrs);

/* Bits set in a present entry that must be zero at this level. */
uint64_t pt_reserved_bits(const struct pt_format *fmt, pte_t e, int level);

/*
 * Whether replacing `old` by `new` in a live table leaves the CPU free to use something that
 * is no longer true, until the caller flushes. Raised rights owe nothing where the fault itself drops the stale
 * translation (SDM vol. 3, 4.10.4.3); a table entry's worth is below it, so any other table owes one.
 */
bool pt_flush_due(const struct pt_format *fmt, pte_t old, pte_t new, int level);

#endif
