/* SPDX-License-Identifier: MIT */
/* Tables as lines: of a tree of ours, and of tables that are read entry by entry. */
#include "pgtable/dump.h"
#include "test_pgtable_fixture.c"

static struct arena *arena;
static struct pt pt;
static struct pt_gather g;
static char dumped[8][128];
static unsigned nr_dumped;

static void start(const struct pt_format *fmt)
{
	arena = arena_new();
	g = PT_GATHER_INIT;
	nr_dumped = 0;
	cr_assert_eq(pt_init(&pt, fmt, &arena_ops, arena), 0);
}

static void stop(void)
{
	pt_gather_finish(&pt, &g);
	expect_sound(&pt);
	pt_destroy(&pt);
	arena_delete(arena);
}

static void keep_line(void *ctx, const char *line)
{
	cr_assert_lt(nr_dumped, 8);
	strcpy(dumped[nr_dumped++], line);
}

/* In the x86-64 tree. */
static void map_some(void)
{
	cr_assert_eq(pt_map(&pt, 0xffffffff80000000, 2 * PAGE_2M + 2 * PAGE_SIZE, PAGE_1G, PT_RWX, 2, &g), 0);
	cr_assert_eq(pt_map(&pt, 0x5000, 0x3000, 0x9000, PT_R | PT_W | PT_U | PT_SW0, 1, &g), 0);
	cr_assert_eq(pt_protect(&pt, 0x6000, 0x1000, 0, PT_W, &g), 0);
}

/* Like, contiguous pages are one line; a change of address, rights or size starts another. */
Test(pgtable_dump, tree)
{
	start(&pt_x86_64);
	map_some();
	pt_dump(&pt, keep_line, NULL);
	cr_assert_eq(nr_dumped, 5);
	cr_expect_str_eq(dumped[0], "0000000000005000-0000000000005fff -> 0000000000009000 rw-u----0--- 4K");
	cr_expect_str_eq(dumped[1], "0000000000006000-0000000000006fff -> 000000000000a000 r--u----0--- 4K");
	cr_expect_str_eq(dumped[3], "ffffffff80000000-ffffffff803fffff -> 0000000040000000 rwx--------- 2M");
	cr_expect_str_eq(dumped[4], "ffffffff80400000-ffffffff80401fff -> 0000000040400000 rwx--------- 4K");
	stop();
	start(&pt_enclave);
	cr_assert_eq(pt_map(&pt, 0, PAGE_1G, PAGE_1G, PT_R | PT_OWNER(42), 3, &g), 0);
	pt_dump(&pt, keep_line, NULL);
	cr_expect_str_eq(dumped[0], "0000000000000000-000000003fffffff -> 0000000040000000 r----------- 1G owner 42");
	stop();
}

static bool entry_at(void *ctx, uint64_t at, pte_t *ret_entry)
{
	const struct pt_table *table = arena_find(arena, at & PAGE_MASK);

	if (table)
		*ret_entry = pte_init(table->entry[page_offset(at) / sizeof(*table->entry)]);
	return table;
}

static struct pt_foreign foreign(unsigned tables)
{
	return (struct pt_foreign){.fmt = &pt_x86_64, .entry = entry_at, .emit = keep_line, .tables_left = tables};
}

/* The same lines as of the tree, without the attributes of the software and the memory type. */
Test(pgtable_dump, foreign)
{
	struct pt_foreign f = foreign(7);

	start(&pt_x86_64);
	map_some();
	pt_dump_foreign(&f, pt.root->address);
	cr_expect(!f.cut && f.tables_left == 0);
	cr_assert_eq(nr_dumped, 5);
	cr_expect_str_eq(dumped[0], "0000000000005000-0000000000005fff -> 0000000000009000 rw-u--- 4K");
	cr_expect_str_eq(dumped[1], "0000000000006000-0000000000006fff -> 000000000000a000 r--u--- 4K");
	cr_expect_str_eq(dumped[3], "ffffffff80000000-ffffffff803fffff -> 0000000040000000 rwx---- 2M");
	cr_expect_str_eq(dumped[4], "ffffffff80400000-ffffffff80401fff -> 0000000040400000 rwx---- 4K");
	stop();
}

/* One table too few: the last is left out. */
Test(pgtable_dump, foreign_with_too_many_tables)
{
	struct pt_foreign f = foreign(6);

	start(&pt_x86_64);
	map_some();
	pt_dump_foreign(&f, pt.root->address);
	cr_expect(f.cut);
	cr_expect_eq(nr_dumped, 4);
	stop();
}
