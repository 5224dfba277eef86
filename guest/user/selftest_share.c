/* SPDX-License-Identifier: MIT */
/* Page tables that processes share: how many there are, and that none is left behind. */
#include "selftest_fork.h"

static bool is_shared(const volatile void *va, int level)
{
	for (int l = 4; l >= level; l--)
		if (!(pte(va, l) & PTE_W))
			return true;
	return false;
}

/* A fork copies the root; the first write copies a table of each level, and others' tables stay shared. */
static int child_copies(void)
{
	volatile uint64_t before = 0; /* on the stack, which gets tables of its own by this */

	CHECK(1, is_shared(near, 3) && (pte(near, 3) & PTE_ADDR) == (pact->seen & PTE_ADDR));
	CHECK(2, holds(near, PAGES) && holds(far, PAGES));
	CHECK(3, is_shared(near, 3) && (pte(near, 3) & PTE_ADDR) == (pact->seen & PTE_ADDR));
	before = count(COUNT_TABLES_COPIED);
	near[0] = 2;
	CHECK(4, count(COUNT_TABLES_COPIED) == before + 2);
	CHECK(5, !is_shared(near, 2) && (pte(near, 3) & PTE_ADDR) != (pact->seen & PTE_ADDR));
	CHECK(6, is_shared(far, 2));
	near[1] = 2;
	near[1 * WORDS] = 2;
	CHECK(7, count(COUNT_TABLES_COPIED) == before + 2);
	return 0;
}

static bool one_set_of_tables(void)
{
	uint64_t before;

	if (!begin(0))
		return false;
	before = count(COUNT_TABLES);
	pact->seen = pte(near, 3);
	if (!both(SPAWN_HERE, FORK_SHARE, child_copies, NULL))
		return false;
	EXPECT_EQ(count(COUNT_TABLES), before);
	return true;
}

static int child_of_child(void)
{
	near[1 * WORDS] = 20;
	for (int how = FORK_SHARE; how <= FORK_COPY; how++)
		if (fork(cpu(), how) == 0)
			exit(near[1 * WORDS] == 20 && holds(near, 1) && (near[2 * WORDS] = 1) ? 0 : 1);
	for (int i = 0; i < 2; i++)
		CHECK(1, (wait() & 0xff) == 0);
	CHECK(2, holds(near, 1));
	return 0;
}

/* Whatever was shared: nothing stays behind. */
static bool nothing_left(void)
{
	uint64_t pages = 0, tables = 0;

	EXPECT_EQ(fork(SPAWN_HERE, FORK_COPY + 1), -EINVAL);
	EXPECT_EQ(fork(1000, FORK_SHARE), -EINVAL);
	for (int i = 0; i < 2; i++) {
		if (!begin(0))
			return false;
		pages = free_pages() + count(COUNT_NOTES);
		tables = count(COUNT_TABLES);
		for (int how = FORK_SHARE; how <= FORK_COPY; how++)
			if (!both(cpus() - 1, how, child_of_child, NULL))
				return false;
	}
	EXPECT_EQ(count(COUNT_TABLES), tables);
	EXPECT_EQ(free_pages() + count(COUNT_NOTES), pages);
	return true;
}

const struct test share_tests[] = {
    {"share-one-set-of-tables", one_set_of_tables},
    {"share-leaves-nothing", nothing_left},
    {0},
};
