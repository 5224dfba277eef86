/* SPDX-License-Identifier: MIT */
/* The lookup that the guest walker uses says what the engine says, also while tables change under it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <gnomon/abi.h>
#include <pthread.h>
#include <string.h>

#include "stage2_machine.h"

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

/* What stage2_range_state must say of pages [first, first + n). */
static void check_range(const bool *mapped, uint64_t first, uint64_t n)
{
	bool like = true, is = !mapped[first];
	int r = stage2_range_state(&s2, gpa_init(first * PAGE_SIZE), n * PAGE_SIZE, &is);

	for (uint64_t i = 0; i < n; i++)
		like &= mapped[first + i] == mapped[first];
	cr_assert_eq(r, like ? 0 : -EALREADY, "pages %d to %d", (int)first, (int)(first + n));
	cr_assert_eq(is, like ? mapped[first] : !mapped[first]);
}

/*
 * Any order of operations: the lookup says what the engine says, for every page, and both what a plain array says, of
 * ranges, too.
 */
Test(stage2, lookup_agrees_with_the_engine)
{
	static bool mapped[SMALL / PAGE_SIZE];
	uint64_t random = 20260729;

	make(SMALL);
	memset(mapped, true, sizeof(mapped));
	for (int step = 0; step < 300; step++) {
		const uint64_t first = next_random(&random) % (SMALL / PAGE_SIZE);
		const uint64_t most = SMALL / PAGE_SIZE - first;
		const uint64_t n = 1 + next_random(&random) % (step % 5 ? 40 : most) % most;
		const gpa_t gpa = gpa_init(first * PAGE_SIZE);
		int r = 0;

		switch (next_random(&random) % 4) {
		case 0:
			r = stage2_unmap(&s2, gpa, n * PAGE_SIZE, &g);
			memset(mapped + first, false, n);
			break;
		case 1:
			r = stage2_map(&s2, gpa, n * PAGE_SIZE, &g);
			memset(mapped + first, true, n);
			break;
		case 2:
			r = stage2_split(&s2, gpa, &g);
			cr_assert_eq(r, mapped[first] ? 0 : -ENOENT);
			r = 0;
			break;
		default:
			r = stage2_collapse(&s2, gpa, &g);
			cr_assert(r == 0 || r == -ENOENT || r == -ERANGE);
			r = 0;
		}
		cr_assert_eq(r, 0, "step %d", step);
		for (uint64_t i = 0; i < SMALL / PAGE_SIZE; i++)
			cr_assert_eq(level_at(i * PAGE_SIZE) > 0, mapped[i], "step %d, page %llu", step,
			             (unsigned long long)i);
		check_range(mapped, first, n);
		for (int i = 0; i < 20; i++) {
			const uint64_t at = next_random(&random) % (SMALL / PAGE_SIZE), rest = SMALL / PAGE_SIZE - at;

			check_range(mapped, at, 1 + next_random(&random) % (i % 2 ? 4 : rest) % rest);
		}
		audit();
		if (step % 3 == 0)
			pt_gather_finish(&s2.pt, &g);
	}
}

struct reader {
	atomic_bool stop;
	atomic_uint wrong, lost;
	_Atomic uint64_t lookups;
};

#define READERS 4                         /* more than there are cores: some are held up in the middle of a walk */
#define STAYS   (BLOCK + 511 * PAGE_SIZE) /* this page is never unmapped */
#define COMES   (2 * BLOCK)               /* this block is unmapped and mapped, by small and large pages */

static void *look_up(void *arg)
{
	struct reader *r = arg;
	uint64_t random = 99;

	while (!atomic_load(&r->stop)) {
		const uint64_t other = next_random(&random) % (SMALL / PAGE_SIZE) * PAGE_SIZE;
		struct stage2_mapping m;

		if (!stage2_lookup(&s2, gpa_init(STAYS), &m))
			atomic_fetch_add(&r->lost, 1);
		else if (maddr_raw(m.maddr) != STAYS)
			atomic_fetch_add(&r->wrong, 1);
		if (stage2_lookup(&s2, gpa_init(other), &m) && maddr_raw(m.maddr) != other)
			atomic_fetch_add(&r->wrong, 1);
		atomic_fetch_add(&r->lookups, 1);
	}
	return NULL;
}

/*
 * A lookup without the lock, while tables are linked, unlinked and used again for other addresses: it never fails to
 * find a page that stays, and never finds another page's frame.
 */
Test(stage2, lookups_without_the_lock)
{
	static struct reader r;
	uint64_t random = 7;
	pthread_t thread[READERS];

	make(SMALL);
	for (int i = 0; i < READERS; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, look_up, &r), 0);
	for (int round = 0; round < 1500; round++) {
		const uint64_t n = 1 + next_random(&random) % 510;
		const gpa_t slice = gpa_init(BLOCK + next_random(&random) % (511 - n) * PAGE_SIZE);

		/* Whose table is taken first changes: each page serves both blocks in turn. */
		if (round % 2)
			cr_assert_eq(stage2_split(&s2, gpa_init(COMES), &g), 0);
		cr_assert_eq(stage2_unmap(&s2, slice, n * PAGE_SIZE, &g), 0);
		if (round % 2 == 0)
			cr_assert_eq(stage2_split(&s2, gpa_init(COMES), &g), 0);
		cr_assert_eq(stage2_unmap(&s2, gpa_init(COMES), BLOCK, &g), 0);
		pt_gather_finish(&s2.pt, &g);
		cr_assert_eq(stage2_map(&s2, slice, n * PAGE_SIZE, &g), 0);
		cr_assert_eq(stage2_collapse(&s2, slice, &g), 0);
		cr_assert_eq(stage2_map(&s2, gpa_init(COMES), BLOCK, &g), 0);
		pt_gather_finish(&s2.pt, &g);
	}
	atomic_store(&r.stop, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(thread[i], NULL);
	cr_expect_eq(atomic_load(&r.lost), 0);
	cr_expect_eq(atomic_load(&r.wrong), 0);
	cr_expect_gt(atomic_load(&r.lookups), 100, "nobody looked: the race was not run");
}

#define HIGH (2 * PAGE_2M) /* bytes of memory from 4 GiB up */
#define FAR  (2 * PAGE_1G) /* frames there have larger numbers than any table's offset */

static void *look_high(void *arg)
{
	struct reader *r = arg;
	uint64_t random = 5;

	while (!atomic_load(&r->stop)) {
		const uint64_t at = GNOMON_RAM_HIGH_BASE + next_random(&random) % HIGH;
		struct stage2_mapping m;

		if (stage2_lookup(&s2, gpa_init(at), &m) && maddr_raw(m.maddr) != at)
			atomic_fetch_add(&r->wrong, 1);
		atomic_fetch_add(&r->lookups, 1);
	}
	return NULL;
}

/* A page of level-2 entries is used again for level-1 entries: a lookup that is still in it takes no frame for a table.
 */
Test(stage2, lookups_while_tables_change_level)
{
	static struct reader r;
	pthread_t thread[READERS];

	make(GNOMON_RAM_LOW_END + HIGH);
	for (int i = 0; i < READERS; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, look_high, &r), 0);
	for (int round = 0; round < 5000; round++) {
		cr_assert_eq(stage2_unmap(&s2, gpa_init(GNOMON_RAM_HIGH_BASE), HIGH, &g), 0);
		pt_gather_finish(&s2.pt, &g);
		cr_assert_eq(stage2_split(&s2, gpa_init(FAR), &g), 0);
		cr_assert_eq(stage2_collapse(&s2, gpa_init(FAR), &g), 0);
		pt_gather_finish(&s2.pt, &g);
		cr_assert_eq(stage2_map(&s2, gpa_init(GNOMON_RAM_HIGH_BASE), HIGH, &g), 0);
	}
	atomic_store(&r.stop, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(thread[i], NULL);
	cr_expect_eq(atomic_load(&r.wrong), 0);
	cr_expect_gt(atomic_load(&r.lookups), 100, "nobody looked: the race was not run");
}
