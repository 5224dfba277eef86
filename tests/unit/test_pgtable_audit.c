/* SPDX-License-Identifier: MIT */
/*
 * The audit finds every kind of damage that it claims to find: each test damages a sound tree
 * behind the writer's back, and names the sentence that must come.
 */
#include "test_pgtable_fixture.c"

static struct arena *arena;
static struct pt pt;
static struct pt_table *t3, *t2, *t1;

static struct pt_table *below(struct pt_table *table, unsigned index)
{
	return arena_find(arena, pt_ept.address(pte_init(table->entry[index]), table->level));
}

/* Two 2 MiB leaves, and one table of 4 KiB leaves of which the last is absent. */
static void setup(void)
{
	struct pt_gather g = PT_GATHER_INIT;

	arena = arena_new();
	cr_assert_eq(pt_init(&pt, &pt_ept, &arena_ops, arena), 0);
	cr_assert_eq(pt_map(&pt, 0, 2 * PAGE_2M, 0, PT_RWX, 2, &g), 0);
	cr_assert_eq(pt_map(&pt, 2 * PAGE_2M, PAGE_2M - PAGE_SIZE, 0, PT_RWX, 1, &g), 0);
	expect_sound(&pt);
	t3 = below(pt.root, 0);
	t2 = below(t3, 0);
	t1 = below(t2, 2);
}

static void expect_violation(const char *what)
{
	struct pt_violation v = {.what = "nothing"};

	cr_expect_eq(pt_audit(&pt, &v), -EBADMSG);
	cr_expect_str_eq(v.what, what);
	free(arena->page);
	free(arena);
}

TestSuite(pgtable_audit, .init = setup);

Test(pgtable_audit, garbage_in_absent_entry)
{
	t1->entry[511] = 0x1000;
	expect_violation("an absent entry is not zero");
}

Test(pgtable_audit, reserved_bit)
{
	t2->entry[0] |= PAGE_SIZE;
	expect_violation("an entry has reserved bits set");
}

Test(pgtable_audit, forbidden_attributes)
{
	t1->entry[3] &= ~1ull; /* writable, not readable */
	expect_violation("a leaf has attributes that its format forbids");
}

Test(pgtable_audit, wild_table_address)
{
	t2->entry[2] = pte_raw(pt_ept.make_table(2, 0x1000));
	expect_violation("a table entry points to what is not a table");
}

Test(pgtable_audit, table_linked_twice)
{
	t2->entry[5] = t2->entry[2];
	t2->present++;
	pt.tables++;
	expect_violation("a table is linked at two places");
}

Test(pgtable_audit, table_at_wrong_level)
{
	t2->entry[5] = t3->entry[0]; /* a loop: it must be found, not followed */
	expect_violation("a table is linked at a level that is not its own");
}

Test(pgtable_audit, lost_leaf)
{
	t1->entry[7] = 0;
	expect_violation("a table's count of present entries is wrong");
}

Test(pgtable_audit, empty_table)
{
	memset(t1->entry, 0, PAGE_SIZE);
	t1->present = 0;
	expect_violation("an empty table is linked");
}

Test(pgtable_audit, wrong_leaf_counter)
{
	pt.leaves[2]++;
	expect_violation("a counter of leaves is wrong");
}

Test(pgtable_audit, wrong_table_counter)
{
	pt.tables--;
	expect_violation("the counter of tables is wrong");
}

/* Damage that only formats with a leaf bit, or none, can show. */
Test(pgtable_audit, table_entry_at_level_1, .init = NULL)
{
	struct pt_gather g = PT_GATHER_INIT;

	arena = arena_new();
	cr_assert_eq(pt_init(&pt, &pt_fake, &arena_ops, arena), 0);
	cr_assert_eq(pt_map(&pt, 0, PAGE_SIZE, 0, PT_R, 1, &g), 0);
	t2 = arena_find(arena, pt_fake.address(pte_init(pt.root->entry[0]), 3));
	t1 = arena_find(arena, pt_fake.address(pte_init(t2->entry[0]), 2));
	t1->entry[0] = pte_raw(pt_fake.make_table(1, pt.root->address));
	expect_violation("a table entry stands at level 1, below which there is nothing");
}
