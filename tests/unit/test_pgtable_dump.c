/* SPDX-License-Identifier: MIT */
/* Tables as lines: of a tree of ours, and of tables that are read entry by entry. */
#include "pgtable/dump.h"
#include "pgtable/fold.h"
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

static void expect_flags(const struct pt_format *fmt, uint64_t raw, int level, const char *expected)
{
	struct pt_flag flag[PT_FLAGS_MAX];
	const int nr = pt_entry_flags(fmt, pte_init(raw), level, flag);
	char text[64] = "";

	for (int i = 0; i < nr; i++)
		strcat(strcat(strcat(text, i ? " " : ""), flag[i].set ? "" : "!"), flag[i].name);
	cr_expect_str_eq(text, expected, "%#llx at level %d is %s", (unsigned long long)raw, level, text);
}

/* Each format tells its own flags, always in the same places; bit 7 is a page's size where a page can be. */
Test(pgtable_dump, flags)
{
	expect_flags(&pt_x86_64, 0, 1, "!P !W !U !NX !A !D !PS !G");
	expect_flags(&pt_x86_64, 0xfff0000000000ffe, 1, "!P !W !U !NX !A !D !PS !G");
	expect_flags(&pt_x86_64, 0x8000000000001023, 1, "P W !U NX A !D !PS !G");
	expect_flags(&pt_x86_64, 0x10001e5, 2, "P !W U !NX A D PS G");
	expect_flags(&pt_x86_64, 0x81, 1, "P !W !U !NX !A !D !PS !G");
	expect_flags(&pt_x86_64, 0x81, 4, "P !W !U !NX !A !D PS !G"); /* reserved there, and set */
	expect_flags(&pt_ept, 0xb7, 2, "P R W X !A !D PS");
	expect_flags(&pt_ept, 0x104, 4, "P !R !W X A !D !PS");
	expect_flags(&pt_sv39, 0xdf, 1, "P R W U X A D !PS !G");
}

static struct pt_node nodes[16];
static unsigned nr_nodes;

static bool keep_node(void *ctx, const struct pt_fold *f, const struct pt_node *n)
{
	if (nr_nodes == *(unsigned *)ctx)
		return false;
	nodes[nr_nodes++] = *n;
	return true;
}

static bool fold(unsigned most, uint64_t first, uint64_t last, unsigned tables)
{
	struct pt_fold f = {
	    .node = keep_node,
	    .ctx = &most,
	    .visit = {.source = {.fmt = &pt_x86_64, .root = pt.root->address, .entry = entry_at, .ctx = NULL},
	              .first = first,
	              .last = last,
	              .tables_left = tables}};

	nr_nodes = 0;
	pt_fold_foreign(&f);
	return f.visit.cut;
}

/* A table is a node, and before what is below it; like neighbours in one table are one. */
Test(pgtable_dump, fold)
{
	static const struct {
		int level;
		unsigned index, nr;
		uint64_t first;
		bool leaf;
	} expected[] = {{4, 0, 1, 0, false},
	                {3, 0, 1, 0, false},
	                {2, 0, 1, 0, false},
	                {1, 5, 1, 0x5000, true},
	                {1, 6, 1, 0x6000, true},
	                {1, 7, 1, 0x7000, true},
	                {4, 511, 1, 0xffffff8000000000, false},
	                {3, 510, 1, 0xffffffff80000000, false},
	                {2, 0, 2, 0xffffffff80000000, true},
	                {2, 2, 1, 0xffffffff80400000, false},
	                {1, 0, 2, 0xffffffff80400000, true}};

	start(&pt_x86_64);
	map_some();
	cr_expect_not(fold(16, 0, UINT64_MAX, 7));
	cr_assert_eq(nr_nodes, 11);
	for (unsigned i = 0; i < nr_nodes; i++)
		cr_expect(nodes[i].step.level == expected[i].level && nodes[i].index == expected[i].index &&
		              nodes[i].nr == expected[i].nr && nodes[i].first == expected[i].first &&
		              nodes[i].leaf == expected[i].leaf,
		          "node %u: level %d, index %u, %u entries", i, nodes[i].step.level, nodes[i].index,
		          nodes[i].nr);
	cr_expect_eq(nodes[8].last, 0xffffffff803fffff);
	cr_expect_eq(nodes[8].to, PAGE_1G);
	stop();
}

/* Only what leads to an address; and a limit of nodes and of tables ends it. */
Test(pgtable_dump, fold_a_part)
{
	start(&pt_x86_64);
	map_some();
	cr_expect_not(fold(16, 0x6000, 0x6fff, 7));
	cr_assert_eq(nr_nodes, 4);
	cr_expect_eq(nodes[3].first, 0x6000);
	cr_expect_not(
	    fold(16, pt_linear(&pt_x86_64, 0xffffffff80000000), pt_linear(&pt_x86_64, 0xffffffff80000000), 7));
	cr_assert_eq(nr_nodes, 3);
	cr_expect(fold(3, 0, UINT64_MAX, 7));
	cr_expect_eq(nr_nodes, 3);
	cr_expect(fold(16, 0, UINT64_MAX, 6));
	stop();
}

/* One address, entry by entry: to its page, to an entry that is not there, to a table that is not there. */
Test(pgtable_dump, path)
{
	struct pt_source s;
	struct pt_path p;

	start(&pt_x86_64);
	map_some();
	s = (struct pt_source){.fmt = &pt_x86_64, .root = pt.root->address, .entry = entry_at};
	pt_path_foreign(&s, 0xffffffff80200123, &p);
	cr_expect(p.nr == 3 && p.mapped && p.to == PAGE_1G + PAGE_2M + 0x123);
	cr_expect_eq(p.step[0].at, pt.root->address + 511 * 8);
	pt_path_foreign(&s, 0x8000, &p);
	cr_expect(p.nr == 4 && !p.mapped && !p.outside);
	pt_path_foreign(&s, 1ull << 39, &p);
	cr_expect(p.nr == 1 && !p.mapped);
	s.root = 0xdead000;
	pt_path_foreign(&s, 0, &p);
	cr_expect(p.nr == 0 && p.outside && p.to == 0xdead000);
	stop();
}
