/* SPDX-License-Identifier: MIT */
/*
 * What the page-table tests share; included by each of them, not compiled alone: an
 * allocator of table pages that can run dry and knows use after free, an observer that keeps
 * count, the fake format, and a CPU that walks a tree and sets A and D.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pgtable/pt.h"

/* ---- fake format: 3 levels of 16, 8 and 32 entries, all bits rotated by 9 x level ---- */

#define FAKE_TAG(level) (8ull | (uint64_t)(level)) /* bits 3:0 of a present entry, before rotation */
#define FAKE_LEAF       (1ull << 4)
#define FAKE_ADDR       0x0000fffffffff000ull
#define FAKE_ATTRS      5 /* R W X U A D at bits 5 to 10 */
#define FAKE_SW0        (1ull << 11)
#define FAKE_SW1        (1ull << 48)
#define FAKE_RESERVED   0xfffe000000000000ull

#define FAKE_ROTATE(x, level) ((x) << 9 * (level) | (x) >> (64 - 9 * (level)))

/* Entries that were read at a level they were not made for. */
static unsigned fake_wrong_level;

static inline uint64_t fake_logical(pte_t e, int level)
{
	uint64_t r = pte_raw(e) >> 9 * level | pte_raw(e) << (64 - 9 * level);

	if (pte_raw(e) && (r & 0xf) != FAKE_TAG(level))
		fake_wrong_level++;
	return r;
}

static inline bool fake_is_present(pte_t e, int level)
{
	return fake_logical(e, level) & 8;
}

static inline bool fake_is_leaf(pte_t e, int level)
{
	return (fake_logical(e, level) & (8 | FAKE_LEAF)) == (8 | FAKE_LEAF);
}

static inline uint64_t fake_address(pte_t e, int level)
{
	return fake_logical(e, level) & FAKE_ADDR;
}

static inline pt_attrs_t fake_get_attrs(pte_t e, int level)
{
	uint64_t r = fake_logical(e, level);

	return (r >> FAKE_ATTRS & 0x3f) | (r & FAKE_SW0 ? PT_SW0 : 0) | (r & FAKE_SW1 ? PT_SW1 : 0);
}

static inline bool fake_allows(pt_attrs_t attrs)
{
	return attrs & PT_R;
}

static inline pte_t fake_make(int level, uint64_t logical)
{
	uint64_t r = logical | FAKE_TAG(level);

	return pte_init(FAKE_ROTATE(r, level));
}

static inline pte_t fake_make_table(int level, uint64_t address)
{
	return fake_make(level, address);
}

static inline pte_t fake_make_leaf(int level, uint64_t address, pt_attrs_t a)
{
	return fake_make(level, address | FAKE_LEAF | (uint64_t)(a & 0x3f) << FAKE_ATTRS | (a & PT_SW0 ? FAKE_SW0 : 0) |
	                            (a & PT_SW1 ? FAKE_SW1 : 0));
}

static const struct pt_format pt_fake = {
    .name = "fake",
    .levels = 3,
    .phys_bits = 48,
    .attrs = PT_RWX | PT_U | PT_AD | PT_SW0 | PT_SW1,
    .level = {[1] = {12, 4, true, FAKE_ROTATE(FAKE_RESERVED, 1), FAKE_ROTATE(FAKE_RESERVED, 1)},
              [2] = {16, 3, true, FAKE_ROTATE(FAKE_RESERVED | 0xf000, 2), FAKE_ROTATE(FAKE_RESERVED, 2)},
              [3] = {19, 5, true, FAKE_ROTATE(FAKE_RESERVED | 0x7f000, 3), FAKE_ROTATE(FAKE_RESERVED, 3)}},
    .is_present = fake_is_present,
    .is_leaf = fake_is_leaf,
    .address = fake_address,
    .get_attrs = fake_get_attrs,
    .allows = fake_allows,
    .make_table = fake_make_table,
    .make_leaf = fake_make_leaf,
};

static const struct pt_format *const all_formats[] = {&pt_x86_64, &pt_x86_64_la57, &pt_ept,     &pt_sv39,
                                                      &pt_sv48,   &pt_sv57,        &pt_enclave, &pt_fake};
#define NR_FORMATS (sizeof(all_formats) / sizeof(all_formats[0]))

/* Attributes that every format can hold in a leaf. */
static inline pt_attrs_t plain_attrs(const struct pt_format *fmt)
{
	return PT_R | PT_W | (fmt->attrs & PT_OWNER_MASK ? PT_OWNER(7) : 0);
}

/* ---- seeded numbers: xorshift64* ---- */

static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

/* ---- table pages ---- */

#define ARENA_TABLES 1200
#define ARENA_BASE   0x0000765432100000ull

struct arena {
	struct pt_table table[ARENA_TABLES];
	bool live[ARENA_TABLES];
	uint64_t (*page)[512];
	unsigned nr_live;
	unsigned limit; /* alloc fails when this many live */
	void (*observer)(struct arena *arena, const struct pt_change *change);
	void *observer_data;
};

static inline struct pt_table *arena_alloc(void *ctx)
{
	struct arena *a = ctx;

	if (a->nr_live >= a->limit)
		return NULL;
	for (unsigned i = 0; i < ARENA_TABLES; i++) {
		if (a->live[i])
			continue;
		a->live[i] = true;
		a->nr_live++;
		memset(a->page[i], 0, sizeof(a->page[i]));
		a->table[i] = (struct pt_table){.address = ARENA_BASE + i * PAGE_SIZE, .entry = a->page[i]};
		return &a->table[i];
	}
	return NULL;
}

static inline void arena_free(void *ctx, struct pt_table *table)
{
	struct arena *a = ctx;
	size_t i = table - a->table;

	cr_assert(a->live[i], "table freed twice");
	a->live[i] = false;
	a->nr_live--;
	memset(a->page[i], 0xee, sizeof(a->page[i]));
}

static inline struct pt_table *arena_find(void *ctx, uint64_t address)
{
	struct arena *a = ctx;
	uint64_t i = (address - ARENA_BASE) / PAGE_SIZE;

	return address >= ARENA_BASE && i < ARENA_TABLES && a->live[i] ? &a->table[i] : NULL;
}

static inline void arena_changed(void *ctx, const struct pt_change *change)
{
	struct arena *a = ctx;

	if (a->observer)
		a->observer(a, change);
}

static const struct pt_ops arena_ops = {
    .alloc = arena_alloc,
    .free = arena_free,
    .find = arena_find,
    .changed = arena_changed,
};

static inline struct arena *arena_new(void)
{
	struct arena *a = calloc(1, sizeof(*a));

	a->page = calloc(ARENA_TABLES, sizeof(*a->page));
	a->limit = ARENA_TABLES;
	return a;
}

/* Fails the test when a table page is still out. */
static inline void arena_delete(struct arena *a)
{
	cr_assert_eq(a->nr_live, 0, "%u table pages leaked", a->nr_live);
	free(a->page);
	free(a);
}

static inline void expect_sound(struct pt *pt)
{
	struct pt_violation v = {.what = ""};

	cr_assert_eq(pt_audit(pt, &v), 0, "%s: %s: va %#llx level %d entry %#llx", pt->fmt->name, v.what,
	             (unsigned long long)v.va, v.level, (unsigned long long)pte_raw(v.entry));
}

/* ---- the CPU ---- */

/*
 * Walks like hardware, by itself: finds the leaf for `va` and sets A, and D for a write. False:
 * not mapped. Starts at `table` (a paging-structure cache) or at the root.
 */
static inline bool cpu_touch_from(struct pt *pt, struct pt_table *table, uint64_t va, bool write, uint64_t *ret_pa)
{
	const struct pt_format *fmt = pt->fmt;
	pt_attrs_t bits = (write ? PT_AD : PT_A) & fmt->attrs;
	struct pt_table *from = table;

	for (int level = from->level;;) {
		uint64_t *slot = &table->entry[pt_index(fmt, va, level)];
		pte_t e = pte_init(__atomic_load_n(slot, __ATOMIC_ACQUIRE));
		uint64_t was = pte_raw(e);

		if (!fmt->is_present(e, level))
			return false;
		if (!fmt->is_leaf(e, level)) {
			table = pt->ops->find(pt->ctx, fmt->address(e, level--));
			continue;
		}
		*ret_pa = fmt->address(e, level) + (va & (pt_span(fmt, level) - 1));
		e = pt_with_attrs(fmt, e, level, fmt->get_attrs(e, level) | bits);
		if (__atomic_compare_exchange_n(slot, &was, pte_raw(e), false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return true;
		table = from;
		level = from->level;
	}
}

static inline bool cpu_touch(struct pt *pt, uint64_t va, bool write)
{
	uint64_t pa;

	return cpu_touch_from(pt, pt->root, va, write, &pa);
}
