/* SPDX-License-Identifier: MIT */
/* Operations at their edges: ranges, halves, memory running out, what the gather owes, the walker. */
#include "test_pgtable_fixture.c"
#include "tree_sum.h"

static struct arena *arena;
static struct pt pt;
static struct pt_gather g;

static void start(const struct pt_format *fmt)
{
	arena = arena_new();
	g = PT_GATHER_INIT;
	cr_assert_eq(pt_init(&pt, fmt, &arena_ops, arena), 0);
}

static void stop(void)
{
	pt_gather_finish(&pt, &g);
	expect_sound(&pt);
	pt_destroy(&pt);
	arena_delete(arena);
}

static int level_at(uint64_t va)
{
	struct pt_mapping at;

	return pt_lookup(&pt, va, &at) == 0 ? at.level : 0;
}

/* The first page, the last page and the one after it, in every format; a range never wraps. */
Test(pgtable_ops, boundaries)
{
	for (size_t f = 0; f < NR_FORMATS; f++) {
		const struct pt_format *fmt = all_formats[f];
		uint64_t end = pt_canonical(fmt, pt_linear_max(fmt)) + 1; /* 0 when sign extended */
		uint64_t pa_last = (1ull << fmt->phys_bits) - PAGE_SIZE;
		pt_attrs_t attrs = plain_attrs(fmt);

		start(fmt);
		cr_expect_eq(pt_map(&pt, 0, PAGE_SIZE, 0x1000, attrs, 1, &g), 0);
		cr_expect_eq(pt_map(&pt, end - PAGE_SIZE, PAGE_SIZE, pa_last, attrs, 1, &g), 0);
		cr_expect(level_at(0) == 1 && level_at(end - 1) == 1 && level_at(PAGE_SIZE) == 0);
		cr_expect_eq(pt_map(&pt, end - PAGE_SIZE, 2 * PAGE_SIZE, 0, attrs, 1, &g), -EINVAL);
		cr_expect_eq(pt_protect(&pt, end - PAGE_SIZE, 2 * PAGE_SIZE, 0, 0, &g), -EINVAL);
		cr_expect_eq(pt_zap(&pt, end - PAGE_SIZE, 2 * PAGE_SIZE, &g), -EINVAL);
		cr_expect_eq(pt_zap(&pt, PAGE_SIZE, -PAGE_SIZE, &g), -EINVAL);
		cr_expect_eq(pt_zap(&pt, 0, 0, &g), -EINVAL);
		cr_expect_eq(pt_zap(&pt, 1, PAGE_SIZE, &g), -EINVAL);
		cr_expect_eq(pt_zap(&pt, 0, PAGE_SIZE + 1, &g), -EINVAL);
		cr_expect_eq(pt_map(&pt, 0, PAGE_SIZE, 1, attrs, 1, &g), -EINVAL);
		cr_expect_eq(pt_map(&pt, 0, 2 * PAGE_SIZE, pa_last, attrs, 1, &g), -EINVAL);
		cr_expect_eq(pt_map(&pt, 0, 2 * PAGE_SIZE, -PAGE_SIZE, attrs, 1, &g), -EINVAL);
		cr_expect_eq(pt_map(&pt, 0, PAGE_SIZE, 0, ~fmt->attrs, 1, &g), -EINVAL);
		cr_expect_eq(pt.leaves[1], 2, "a refused call mapped something");
		cr_expect_eq(pt_zap(&pt, end - PAGE_SIZE, PAGE_SIZE, &g), 0);
		cr_expect_eq(pt_zap(&pt, 0, PAGE_SIZE, &g), 0);
		cr_expect_eq(pt.tables, 1, "%s: empty tables stayed", fmt->name);
		stop();
	}
}

/* The 5-level upper half: its pages are found there, not below, and the hole is nobody's. */
Test(pgtable_ops, la57_upper_half)
{
	struct pt_mapping at;

	start(&pt_x86_64_la57);
	cr_assert_eq(pt_map(&pt, 0xff00000000000000, PAGE_1G, 0, PT_RWX, 3, &g), 0);
	cr_expect_eq(level_at(0xff0000003fffffff), 3);
	cr_expect_eq(level_at(0xff00000040000000), 0);
	cr_expect_eq(level_at(0), 0);
	cr_expect_eq(pt_lookup(&pt, 0x0100000000000000, &at), -EINVAL);
	cr_expect_eq(pt_map(&pt, 0x00fffffffffff000, 2 * PAGE_SIZE, 0, PT_RWX, 1, &g), -EINVAL);
	cr_expect_eq(pt_split(&pt, 0x0100000000000000, 1, &g), -EINVAL);
	stop();
}

/* Large pages where alignment allows, small ones around them; the cap is kept. */
Test(pgtable_ops, largest_page)
{
	start(&pt_x86_64);
	cr_assert_eq(
	    pt_map(&pt, PAGE_1G - PAGE_2M - PAGE_SIZE, 2 * PAGE_1G, PAGE_1G - PAGE_2M - PAGE_SIZE, PT_RWX, 3, &g), 0);
	cr_expect_eq(level_at(PAGE_1G - PAGE_2M - PAGE_SIZE), 1);
	cr_expect_eq(level_at(PAGE_1G - PAGE_2M), 2);
	cr_expect_eq(level_at(PAGE_1G), 3);
	cr_expect_eq(level_at(2 * PAGE_1G), 2);
	cr_assert_eq(pt_map(&pt, PAGE_1G, PAGE_1G, PAGE_1G, PT_R, 2, &g), 0);
	cr_expect_eq(level_at(PAGE_1G), 2);
	cr_assert_eq(pt_map(&pt, PAGE_1G, PAGE_1G, PAGE_1G + PAGE_SIZE, PT_R, 3, &g), 0);
	cr_expect_eq(level_at(PAGE_1G), 1);
	stop();
}

/* Whatever allocation fails, the operation that needs it changes nothing; with one more table it works. */
Test(pgtable_ops, no_memory_before_any_change)
{
	for (size_t f = 0; f < NR_FORMATS; f++) {
		const struct pt_format *fmt = all_formats[f];
		uint64_t large = pt_span(fmt, 3), middle = large / 2 + PAGE_SIZE, before;
		pt_attrs_t attrs = plain_attrs(fmt);

		for (int op = 0; op < 4; op++) {
			int err = -ENOMEM, failures = 0;

			start(fmt);
			cr_assert_eq(pt_map(&pt, 0, large, 0, attrs, 3, &g), 0);
			cr_assert(!pt.pool && pt.leaves[3] == 1);
			before = tree_sum(&pt);
			for (arena->limit = arena->nr_live; err; arena->limit++) {
				err = op == 0   ? pt_map(&pt, middle, PAGE_SIZE, 0, attrs, 1, &g)
				      : op == 1 ? pt_protect(&pt, middle, PAGE_SIZE, 0, PT_W, &g)
				      : op == 2 ? pt_zap(&pt, middle, PAGE_SIZE, &g)
				                : pt_split(&pt, middle, 1, &g);
				cr_assert(!err || err == -ENOMEM);
				failures += err == -ENOMEM;
				cr_assert(!err ||
				          (pt.leaves[3] == 1 && tree_sum(&pt) == before && !g.tables));
			}
			cr_expect_eq(failures, 2, "%s: operation %d", fmt->name, op);
			cr_expect_eq(pt.leaves[3], 0);
			cr_expect_eq(pt.pool_count, 0, "took more than it needs");
			stop();
		}
	}
}

/* A tree without a root is refused, and a reserve keeps what it got. */
Test(pgtable_ops, no_memory_for_root)
{
	arena = arena_new();
	arena->limit = 0;
	cr_assert_eq(pt_init(&pt, &pt_ept, &arena_ops, arena), -ENOMEM);
	arena->limit = 3;
	cr_assert_eq(pt_init(&pt, &pt_ept, &arena_ops, arena), 0);
	cr_assert_eq(pt_pool_reserve(&pt, 9), -ENOMEM);
	cr_assert_eq(pt.pool_count, 2);
	pt_destroy(&pt);
	arena_delete(arena);
}

/* Zap owes a flush of what was mapped, and keeps the tables' pages until the caller has flushed. */
Test(pgtable_ops, gather_keeps_tables)
{
	start(&pt_x86_64);
	cr_assert_eq(pt_map(&pt, PAGE_2M, PAGE_2M, 0, PT_RWX, 1, &g), 0);
	cr_expect(!g.due, "a fresh mapping owes no flush on x86");
	cr_assert_eq(pt_zap(&pt, 0, PAGE_1G, &g), 0);
	cr_expect(g.due && g.first <= PAGE_2M && g.last >= 2 * PAGE_2M - 1);
	cr_expect_eq(g.nr_tables, 3);
	cr_expect_eq(arena->nr_live, 4);
	pt_gather_finish(&pt, &g);
	cr_expect(!g.due && arena->nr_live == 1);
	stop();
}

/* A and D set through a collapsed table before the flush reach the large page; so do those before it. */
Test(pgtable_ops, collapse_collects_late_bits)
{
	struct pt_mapping at;
	struct pt_table *table;
	uint64_t pa;

	start(&pt_x86_64);
	cr_assert_eq(pt_map(&pt, 0, PAGE_2M, PAGE_2M, PT_RWX, 1, &g), 0);
	cr_assert(cpu_touch(&pt, 5 * PAGE_SIZE, false));
	table = arena_find(
	    arena, pt_x86_64.address(
	               pte_init(arena_find(arena, pt_x86_64.address(pte_init(pt.root->entry[0]), 4))->entry[0]), 3));
	table = arena_find(arena, pt_x86_64.address(pte_init(table->entry[0]), 2));
	cr_assert_eq(pt_collapse(&pt, 0, 2, &g), 0);
	cr_assert_eq(pt_lookup(&pt, 0, &at), 0);
	cr_expect_eq(at.attrs & PT_AD, PT_A);
	cr_assert(cpu_touch_from(&pt, table, 7 * PAGE_SIZE, true, &pa), "a page was out of reach during a collapse");
	cr_expect_eq(pa, PAGE_2M + 7 * PAGE_SIZE);
	pt_gather_finish(&pt, &g);
	cr_assert_eq(pt_lookup(&pt, 0, &at), 0);
	cr_expect_eq(at.attrs & PT_AD, PT_AD);
	cr_expect(at.level == 2 && pt.tables == 3);
	stop();
}

/* One page that differs in presence, address, rights or alignment keeps the table; A and D do not matter. */
Test(pgtable_ops, collapse_disagreement)
{
	start(&pt_ept);
	for (int what = 0; what < 4; what++) {
		uint64_t pa = what == 3 ? PAGE_SIZE : PAGE_2M, odd = 511 * PAGE_SIZE;

		cr_assert_eq(pt_map(&pt, 0, PAGE_2M, pa, PT_RWX, 1, &g), 0);
		cr_assert(cpu_touch(&pt, 0, true));
		if (what == 0)
			cr_assert_eq(pt_zap(&pt, odd, PAGE_SIZE, &g), 0);
		if (what == 1)
			cr_assert_eq(pt_map(&pt, odd, PAGE_SIZE, pa, PT_RWX, 1, &g), 0);
		if (what == 2)
			cr_assert_eq(pt_protect(&pt, odd, PAGE_SIZE, 0, PT_W, &g), 0);
		cr_expect_eq(pt_collapse(&pt, 0, 2, &g), -ERANGE, "case %d", what);
		cr_expect_eq(level_at(0), 1);
	}
	cr_assert_eq(pt_map(&pt, 0, PAGE_2M, PAGE_2M, PT_RWX, 1, &g), 0);
	cr_expect_eq(pt_collapse(&pt, 0, 2, &g), 0);
	cr_expect_eq(pt_collapse(&pt, 0, 2, &g), -ENOENT);
	cr_expect_eq(pt_collapse(&pt, 0, 1, &g), -EINVAL);
	cr_expect_eq(pt_collapse(&pt, 0, 4, &g), -EINVAL);
	stop();
}

/* Pre-order, each entry once, subtrees skipped and entries restarted as the body asks. */
Test(pgtable_ops, iterator)
{
	unsigned by_level[6] = {0}, restarts = 0;
	struct pt_iter it;

	start(&pt_x86_64);
	cr_assert_eq(pt_map(&pt, 0, PAGE_2M + PAGE_SIZE, 0, PT_RWX, 2, &g), 0);
	pt_for_each (&it, &pt, 0, UINT64_MAX, 1)
		by_level[it.level]++;
	cr_expect(by_level[4] == 512 && by_level[3] == 512 && by_level[2] == 512 && by_level[1] == 512);
	memset(by_level, 0, sizeof(by_level));
	pt_for_each (&it, &pt, PAGE_2M - 1, PAGE_2M + 2 * PAGE_SIZE - 1, 1) {
		by_level[it.level]++;
		if (it.level == 1 && restarts++ < 3)
			pt_iter_restart(&it);
	}
	cr_expect(by_level[4] == 1 && by_level[3] == 1 && by_level[2] == 2 && by_level[1] == 2 + 3);
	memset(by_level, 0, sizeof(by_level));
	pt_for_each (&it, &pt, 0, UINT64_MAX, 2) {
		by_level[it.level]++;
		if (it.level == 3)
			pt_iter_skip(&it);
	}
	cr_expect(by_level[4] == 512 && by_level[3] == 512 && by_level[2] == 0 && by_level[1] == 0);
	stop();
}

/* A lost race leaves the table alone, says what is there, and accounts for nothing. */
Test(pgtable_ops, lost_race)
{
	struct pt_iter it;
	pte_t wanted;

	start(&pt_x86_64);
	cr_assert_eq(pt_map(&pt, 0, PAGE_2M, 0, PT_RWX, 2, &g), 0);
	pt_for_each (&it, &pt, 0, 0, 1) {
		if (it.level != 2)
			continue;
		wanted = pt_with_attrs(&pt_x86_64, it.old, 2, PT_R);
		cr_assert(cpu_touch(&pt, 0, true));
		cr_expect_eq(pt_set(&it, wanted, &g), -EAGAIN);
		cr_expect_eq(pt_x86_64.get_attrs(it.old, 2), PT_RWX | PT_AD);
		cr_expect(!g.due);
		cr_expect_eq(pt_set(&it, wanted, &g), 0);
		cr_expect(g.due && pte_raw(it.old) == pte_raw(wanted));
	}
	stop();
}

static unsigned stores;

static pte_t store_for_engine(void *ctx, struct pt_table *table, unsigned index, pte_t old, pte_t new)
{
	pte_t was = pte_init(table->entry[index]);

	stores++;
	if (pte_raw(was) == pte_raw(old))
		table->entry[index] = pte_raw(new);
	return was;
}

/* With a cmpxchg hook the engine itself stores to no live entry: tables that only the guest's CPU may write. */
Test(pgtable_ops, stores_through_the_hook)
{
	struct pt_ops ops = arena_ops;

	ops.cmpxchg = store_for_engine;
	arena = arena_new();
	g = PT_GATHER_INIT;
	cr_assert_eq(pt_init(&pt, &pt_x86_64, &ops, arena), 0);
	cr_assert_eq(pt_map(&pt, 0, PAGE_2M, 0, PT_RWX, 2, &g), 0);
	cr_expect_eq(stores, 3);
	cr_assert_eq(pt_zap(&pt, PAGE_SIZE, PAGE_SIZE, &g), 0);
	cr_expect_eq(stores, 5, "one store to publish the split, one to clear the page");
	stop();
}

/* The CPU comes first, once: it writes to each page whose entry the engine is about to change. */
static pte_t store_after_cpu(void *ctx, struct pt_table *table, unsigned index, pte_t old, pte_t new)
{
	pte_t e = pte_init(table->entry[index]);

	if (pt_x86_64.is_leaf(e, table->level) && !(pt_x86_64.get_attrs(e, table->level) & PT_D))
		table->entry[index] = pte_raw(pt_with_attrs(&pt_x86_64, e, table->level, PT_RWX | PT_AD));
	return store_for_engine(ctx, table, index, old, new);
}

static unsigned told_dirty;

static void count_dirty(struct arena *a, const struct pt_change *change)
{
	told_dirty += change->dirty;
}

/* D that the CPU sets between the snapshot and the store is inherited by a split, kept by a protect, told by a zap. */
Test(pgtable_ops, cpu_comes_first)
{
	struct pt_ops ops = arena_ops;
	struct pt_mapping at;

	ops.cmpxchg = store_after_cpu;
	arena = arena_new();
	arena->observer = count_dirty;
	g = PT_GATHER_INIT;
	cr_assert_eq(pt_init(&pt, &pt_x86_64, &ops, arena), 0);
	cr_assert_eq(pt_map(&pt, 0, 2 * PAGE_2M, 0, PT_RWX, 2, &g), 0);
	cr_assert_eq(pt_split(&pt, 0, 1, &g), 0);
	for (int i = 0; i < 512; i++) {
		cr_assert_eq(pt_lookup(&pt, i * PAGE_SIZE, &at), 0);
		cr_assert_eq(at.attrs & PT_AD, PT_AD, "page %d lost A or D in a split", i);
	}
	cr_assert_eq(pt_protect(&pt, PAGE_2M, PAGE_2M, 0, PT_W, &g), 0);
	cr_assert_eq(pt_lookup(&pt, PAGE_2M, &at), 0);
	cr_expect_eq(at.attrs, PT_R | PT_X | PT_AD);
	cr_expect_eq(told_dirty, 0, "D did not leave the tree");
	cr_assert_eq(pt_map(&pt, 2 * PAGE_2M, PAGE_2M, 0, PT_RWX, 2, &g), 0);
	cr_assert_eq(pt_zap(&pt, 2 * PAGE_2M, PAGE_2M, &g), 0);
	cr_expect_eq(told_dirty, 1);
	stop();
}

/* Tables linked twice are left to their owner: nothing below a link is cleared, counted or freed with it. */
Test(pgtable_ops, shared_tables)
{
	struct pt_violation v;
	struct pt_mapping at;
	struct pt_iter it;

	start(&pt_x86_64);
	cr_assert_eq(pt_map(&pt, 0, PAGE_2M, 0, PT_RWX, 1, &g), 0);
	pt_for_each (&it, &pt, 0, UINT64_MAX, 3)
		if (it.level == 4 && it.va == 1ull << 39)
			cr_assert_eq(pt_set(&it, pte_init(pt.root->entry[0]), &g), 0);
	/* An ordinary tree's audit refuses it. */
	cr_expect_eq(pt_audit(&pt, &v), -EBADMSG);
	pt.shared = true;
	expect_sound(&pt);
	cr_expect_eq(pt_zap(&pt, 1ull << 39, 1ull << 39, &g), 0);
	cr_expect(g.due && !g.tables);
	cr_expect_eq(pt_lookup(&pt, PAGE_SIZE, &at), 0);
	pt_destroy(&pt);
	arena_delete(arena);
}
