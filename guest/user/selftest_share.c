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

/* What was offered stays as it was. Each has it at an address of its own, and writes to its own alone. */
static int child_takes(void)
{
	volatile uint64_t *mine = (volatile uint64_t *)take_offer(0), *again = (volatile uint64_t *)take_offer(0);

	CHECK(1, (int64_t)mine > 0 && (int64_t)again > 0 && mine != again && mine != near);
	CHECK(2, holds(mine, PAGES) && holds(again, PAGES));
	CHECK(3, is_shared(mine, 2) && (pte(mine, 2) & PTE_ADDR) == (pte(again, 2) & PTE_ADDR));
	mine[1 * WORDS] = 20;
	CHECK(4, !is_shared(mine, 2) && holds(mine, 1) && holds(again, PAGES));
	step_done(0);
	await_step(2);
	CHECK(5, take_offer(0) == -EINVAL);
	CHECK(6, holds(mine, 1) && mine[1 * WORDS] == 20 && holds(again, PAGES));
	CHECK(7, munmap(again, PAGES * PAGE_BYTES) == 0);
	CHECK(8, holds(mine, 1));
	return 0;
}

static bool parent_offers(void)
{
	await_step(1);
	EXPECT(holds(near, 0));
	EXPECT_EQ(offer(NULL, OFFER_END), 0);
	near[1 * WORDS] = 11;
	step_done(1);
	return true;
}

static bool offer_stays(void)
{
	uint64_t pages = 0, tables = 0;

	EXPECT_EQ(take_offer(0), -EINVAL);
	EXPECT_EQ(take_offer(-2), -EINVAL);
	for (int i = 0; i < 2; i++) {
		if (!begin(0))
			return false;
		pages = free_pages() + count(COUNT_NOTES);
		tables = count(COUNT_TABLES);
		EXPECT_EQ(offer(near, 1), -EINVAL);
		EXPECT_EQ(offer(near, 3), -EINVAL);
		EXPECT_EQ(offer(&near[WORDS], 2), -EINVAL);
		EXPECT_EQ(offer((void *)(MMAP_BASE + (100ull << 30)), 2), -EINVAL);
		EXPECT_EQ(offer(near, 2), 0);
		near[0] = 10; /* not in the offer */
		EXPECT_EQ(offer(far, 2), -EBUSY);
		if (!both(cpus() - 1, FORK_SHARE, child_takes, parent_offers))
			return false;
	}
	EXPECT_EQ(count(COUNT_TABLES), tables);
	EXPECT_EQ(free_pages() + count(COUNT_NOTES), pages);
	/* Nobody else has it any more when the offer ends. */
	EXPECT_EQ(offer(near, 2), 0);
	near[0] = 12;
	EXPECT_EQ(munmap(near, PAGES * PAGE_BYTES), 0);
	EXPECT_EQ(offer(NULL, OFFER_END), 0);
	near = NULL;
	EXPECT_EQ(count(COUNT_TABLES), tables);
	EXPECT_EQ(free_pages() + count(COUNT_NOTES), pages + PAGES);
	return true;
}

const struct test share_tests[] = {
    {"share-one-set-of-tables", one_set_of_tables},
    {"share-leaves-nothing", nothing_left},
    {"share-offer-stays", offer_stays},
    {0},
};
