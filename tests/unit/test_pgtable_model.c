/* SPDX-License-Identifier: MIT */
/*
 * Random sequences of all operations, in every format, against an array of 4 KiB pages that is
 * obviously right. The array also plays the TLB: it remembers translations until an operation says
 * that a flush is due, and complains when it remembers what is no longer true.
 */
#include "test_pgtable_fixture.c"
#include "tree_sum.h"

#define STEPS        1200
#define WINDOW_PAGES 2048

struct page {
	bool present;
	uint64_t pa;
	pt_attrs_t attrs; /* without A and D */
	bool written;     /* by the CPU, and nobody was told yet */
	int mapped;       /* as the observer counts */
	bool cached;      /* in the TLB, as: */
	uint64_t cached_pa;
	pt_attrs_t cached_attrs;
};

struct model {
	struct pt pt;
	struct arena *arena;
	uint64_t base, pages, random;
	struct page page[WINDOW_PAGES];
};

static uint64_t pick(struct model *m, uint64_t n)
{
	return next_random(&m->random) % n;
}

static struct page *page_at(struct model *m, uint64_t va)
{
	cr_assert((va - m->base) / PAGE_SIZE < m->pages, "a change outside the window, at %#llx",
	          (unsigned long long)va);
	return &m->page[(va - m->base) / PAGE_SIZE];
}

/* The reverse map: every leaf that comes or goes is told once; D is never lost in silence. */
static void observe(struct arena *arena, const struct pt_change *c)
{
	struct model *m = arena->observer_data;
	const struct pt_format *fmt = m->pt.fmt;
	int was = fmt->is_leaf(c->old, c->level), is = fmt->is_leaf(c->new, c->level);

	if (!was && !is)
		return;
	for (uint64_t at = 0; at < pt_span(fmt, c->level); at += PAGE_SIZE) {
		page_at(m, c->va + at)->mapped += is - was;
		if (c->dirty)
			page_at(m, c->va + at)->written = false;
	}
}

static pt_attrs_t random_attrs(struct model *m)
{
	const struct pt_format *fmt = m->pt.fmt;
	pt_attrs_t attrs;

	do
		attrs = PT_R | (next_random(&m->random) & (PT_W | PT_X | PT_SW0 | PT_U | PT_MMIO) & fmt->attrs) |
		        (fmt->attrs & PT_OWNER_MASK ? PT_OWNER(1 + pick(m, 2)) : 0);
	while (!pt_attrs_ok(fmt, attrs));
	return attrs;
}

/* A range of pages in the window, often aligned to a large page. */
static void random_range(struct model *m, uint64_t *ret_first, uint64_t *ret_nr)
{
	uint64_t large = pt_span(m->pt.fmt, 2) / PAGE_SIZE;
	uint64_t unit = pick(m, 2) ? large : 1;
	uint64_t first = pick(m, m->pages / unit) * unit;
	uint64_t most = pick(m, 3) ? 2 * large : 40;
	uint64_t nr = unit * (1 + pick(m, 1 + most / unit));

	*ret_first = first;
	*ret_nr = nr < m->pages - first ? nr : m->pages - first;
}

static int do_map(struct model *m, struct pt_gather *g)
{
	static const uint64_t skews[] = {0x40000000, 0x40000000 + PAGE_SIZE, 0x80000000};
	pt_attrs_t attrs = random_attrs(m);
	uint64_t first, nr, pa = skews[pick(m, 3)];
	int err;

	random_range(m, &first, &nr);
	pa += first * PAGE_SIZE;
	err = pt_map(&m->pt, m->base + first * PAGE_SIZE, nr * PAGE_SIZE, pa, attrs, 1 + pick(m, 3), g);
	for (uint64_t i = 0; i < nr && !err; i++) {
		m->page[first + i].present = true;
		m->page[first + i].pa = pa + i * PAGE_SIZE;
		m->page[first + i].attrs = attrs;
	}
	return err;
}

static int do_protect(struct model *m, struct pt_gather *g)
{
	const struct pt_format *fmt = m->pt.fmt;
	pt_attrs_t set = next_random(&m->random) & (PT_W | PT_X | PT_SW0 | PT_U) & fmt->attrs;
	pt_attrs_t clear = next_random(&m->random) & (PT_R | PT_W | PT_X | PT_SW0) & fmt->attrs;
	uint64_t first, nr;
	bool legal = true;
	int err;

	if (pick(m, 4) == 0) { /* dirty tracking */
		set = 0;
		clear = PT_D & fmt->attrs;
	}
	random_range(m, &first, &nr);
	for (uint64_t i = first; i < first + nr; i++)
		if (m->page[i].present)
			legal &= pt_attrs_ok(fmt, (m->page[i].attrs & ~clear) | set);
	err = pt_protect(&m->pt, m->base + first * PAGE_SIZE, nr * PAGE_SIZE, set, clear, g);
	cr_assert(legal ? err != -EINVAL : err == -EINVAL || err == -ENOMEM, "protect gave %d", err);
	for (uint64_t i = first; i < first + nr && !err; i++)
		if (m->page[i].present)
			m->page[i].attrs = ((m->page[i].attrs & ~clear) | set) & ~PT_AD;
	return err;
}

static int do_zap(struct model *m, struct pt_gather *g)
{
	uint64_t first, nr;
	int err;

	random_range(m, &first, &nr);
	err = pt_zap(&m->pt, m->base + first * PAGE_SIZE, nr * PAGE_SIZE, g);
	for (uint64_t i = first; i < first + nr && !err; i++)
		m->page[i].present = false;
	return err;
}

static int do_split(struct model *m, struct pt_gather *g)
{
	uint64_t i = pick(m, m->pages), va = m->base + i * PAGE_SIZE;
	int level = 1 + pick(m, 2), err = pt_split(&m->pt, va, level, g);
	struct pt_mapping at = {.level = 0};

	cr_assert_eq(err == -ENOENT, !m->page[i].present);
	if (!err) {
		cr_assert_eq(pt_lookup(&m->pt, va, &at), 0);
		cr_assert_leq(at.level, level);
	}
	return err;
}

static int do_collapse(struct model *m, struct pt_gather *g)
{
	uint64_t large = pt_span(m->pt.fmt, 2) / PAGE_SIZE, first = pick(m, m->pages / large) * large;
	const struct page *p = &m->page[first];
	bool agree = p->present && p->pa % pt_span(m->pt.fmt, 2) == 0, table = false;
	struct pt_mapping at = {.level = 0};
	int err;

	for (uint64_t i = 0; i < large; i++) {
		table |= pt_lookup(&m->pt, m->base + (first + i) * PAGE_SIZE, &at) == 0 && at.level == 1;
		agree &= p[i].present && p[i].pa == p->pa + i * PAGE_SIZE && p[i].attrs == p->attrs;
	}
	err = pt_collapse(&m->pt, m->base + (first + pick(m, large)) * PAGE_SIZE, 2, g);
	cr_assert_eq(err, !table ? -ENOENT : agree ? 0 : -ERANGE, "collapse gave %d", err);
	return err;
}

static int do_touch(struct model *m, struct pt_gather *g)
{
	for (int n = 0; n < 20; n++) {
		uint64_t i = pick(m, m->pages), va = m->base + i * PAGE_SIZE;
		bool write = pick(m, 2);

		cr_assert_eq(cpu_touch(&m->pt, va, write), m->page[i].present);
		m->page[i].written |= m->page[i].present && write && (m->pt.fmt->attrs & PT_D);
	}
	return 0;
}

/* Drops what the flush covers, then whatever is still cached must still be true, or less than true. */
static void check_tlb(struct model *m, const struct pt_gather *g)
{
	for (uint64_t i = 0; i < m->pages; i++) {
		struct page *p = &m->page[i];
		uint64_t va = m->base + i * PAGE_SIZE;
		struct pt_mapping at;
		bool mapped = pt_lookup(&m->pt, va, &at) == 0;

		if (g->due && va >= g->first && va <= g->last)
			p->cached = false;
		if (p->cached) {
			cr_assert(mapped && at.pa == p->cached_pa, "stale address at page %u", (unsigned)i);
			cr_assert(!(p->cached_attrs & ~at.attrs & (PT_RWX | PT_D)), "stale right at page %u",
			          (unsigned)i);
			cr_assert(!((p->cached_attrs ^ at.attrs) & (PT_U | PT_MMIO | PT_OWNER_MASK)));
		}
		p->cached = mapped;
		if (mapped) {
			p->cached_pa = at.pa;
			p->cached_attrs = at.attrs;
		}
	}
}

static void check_pages(struct model *m)
{
	for (uint64_t i = 0; i < m->pages; i++) {
		const struct page *p = &m->page[i];
		uint64_t va = m->base + i * PAGE_SIZE + 5;
		struct pt_mapping at = {.level = 0};
		int err = pt_lookup(&m->pt, va, &at);

		cr_assert_eq(err, p->present ? 0 : -ENOENT, "page %u: lookup gave %d", (unsigned)i, err);
		cr_assert_eq(p->mapped, p->present, "page %u: observer counts %d", (unsigned)i, p->mapped);
		if (err)
			continue;
		cr_assert_eq(at.pa, p->pa + 5, "page %u: pa", (unsigned)i);
		cr_assert_eq(at.attrs & ~PT_AD, p->attrs, "page %u: attrs %#x", (unsigned)i, at.attrs);
		cr_assert(!p->written || (at.attrs & PT_D), "page %u: D lost", (unsigned)i);
	}
}

/* The same content put page by page, backwards, into a fresh tree has the same sum. */
static void check_sum(struct model *m)
{
	struct arena *arena = arena_new();
	struct pt_gather g = PT_GATHER_INIT;
	uint64_t whole = tree_sum(&m->pt), half, other_half;
	struct pt pt;

	cr_assert_eq(pt_init(&pt, m->pt.fmt, &arena_ops, arena), 0);
	for (uint64_t i = m->pages; i-- > 0;)
		if (m->page[i].present)
			cr_assert_eq(
			    pt_map(&pt, m->base + i * PAGE_SIZE, PAGE_SIZE, m->page[i].pa, m->page[i].attrs, 1, &g), 0);
	cr_assert_eq(tree_sum(&pt), whole);
	half = tree_sum_range(&m->pt, m->base, m->base + 333 * PAGE_SIZE - 1);
	other_half = tree_sum_range(&pt, m->base + 333 * PAGE_SIZE, m->base + m->pages * PAGE_SIZE - 1);
	cr_assert_eq(half + other_half, whole);
	pt_gather_finish(&pt, &g);
	pt_destroy(&pt);
	arena_delete(arena);
}

/* A step: an operation, sometimes with little memory; -ENOMEM must have changed nothing. */
static void step(struct model *m)
{
	static int (*const op[])(struct model *, struct pt_gather *) = {do_map,   do_map,      do_zap,  do_protect,
	                                                                do_split, do_collapse, do_touch};
	struct pt_gather g = PT_GATHER_INIT;
	uint64_t before = tree_sum(&m->pt), tables = m->pt.tables;
	int err;

	if (pick(m, 4) == 0)
		m->arena->limit = m->arena->nr_live + pick(m, 2);
	err = op[pick(m, sizeof(op) / sizeof(op[0]))](m, &g);
	m->arena->limit = ARENA_TABLES;
	if (err) {
		cr_assert(!g.due && !g.tables, "a failed operation left work");
		cr_assert_eq(tree_sum(&m->pt), before);
		cr_assert_eq(m->pt.tables, tables);
	}
	cr_assert_eq(m->arena->nr_live, m->pt.tables + m->pt.pool_count + g.nr_tables, "a table page is nowhere");
	check_tlb(m, &g);
	pt_gather_finish(&m->pt, &g);
	check_pages(m);
	expect_sound(&m->pt);
}

static void run(const struct pt_format *fmt, uint64_t base, uint64_t seed)
{
	struct model *m = calloc(1, sizeof(*m));
	unsigned collapsed_once = 0;

	*m = (struct model){.arena = arena_new(), .base = base, .pages = WINDOW_PAGES, .random = seed};
	m->arena->observer = observe;
	m->arena->observer_data = m;
	cr_assert_eq(pt_init(&m->pt, fmt, &arena_ops, m->arena), 0);
	for (int i = 0; i < STEPS; i++) {
		uint64_t large = m->pt.leaves[2];

		step(m);
		collapsed_once += m->pt.leaves[2] > large;
		if (i % 100 == 0)
			check_sum(m);
	}
	cr_assert_gt(collapsed_once, 0, "the sequence never made a large page: it tests too little");
	cr_assert_eq(fake_wrong_level, 0);
	pt_destroy(&m->pt);
	arena_delete(m->arena);
	free(m);
}

/* Each protects all operations in one format; the window lies where that format's addresses are touchy. */
Test(pgtable_model, x86_64_up_to_the_last_byte)
{
	run(&pt_x86_64, -(WINDOW_PAGES * PAGE_SIZE), 1);
}
Test(pgtable_model, la57_from_the_first_upper_byte)
{
	run(&pt_x86_64_la57, 0xff00000000000000, 2);
}
Test(pgtable_model, ept_up_to_the_last_byte)
{
	run(&pt_ept, (1ull << 48) - WINDOW_PAGES * PAGE_SIZE, 3);
}
Test(pgtable_model, sv39_across_a_gigabyte)
{
	run(&pt_sv39, PAGE_1G - PAGE_2M, 4);
}
Test(pgtable_model, sv48_across_a_root_entry)
{
	run(&pt_sv48, (1ull << 39) - 2 * PAGE_2M, 5);
}
Test(pgtable_model, sv57_from_the_first_upper_byte)
{
	run(&pt_sv57, 0xff00000000000000, 8);
}
Test(pgtable_model, enclave_from_zero)
{
	run(&pt_enclave, 0, 6);
}
Test(pgtable_model, fake_whole_level)
{
	run(&pt_fake, 8 << 19, 7);
}
