/* SPDX-License-Identifier: MIT */
/* Slices of guest memory taken away and given back, with a VM of a few variables: order, counts, and who reaches what.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "stage2/reclaim.h"
#include "tree_sum.h"

#define SLICE_PAGES 16
#define BLOCK       (6 * PAGE_2M)
#define SLICE       (BLOCK + 100 * PAGE_SIZE)

static struct guest_mem mem;
static struct stage2 s2;
static struct counters counters;
static char steps[64]; /* a letter for each op: S shootdown, G surrender, R restore, H joined */

/* The CPU that looks things up meanwhile: acknowledges between two rounds. */
static struct {
	pthread_t thread;
	atomic_bool runs, stop;
	atomic_uint asked, acked, unreachable, wrong, rounds;
} cpu;

static uint64_t read_counter(enum counter c)
{
	return counter_read(&counters, c);
}

static void step(char c)
{
	const size_t n = strlen(steps);

	if (n + 1 < sizeof(steps))
		steps[n] = c;
}

static unsigned wait_for_cpu(void)
{
	const unsigned now = atomic_fetch_add(&cpu.asked, 1) + 1;

	if (!atomic_load(&cpu.runs))
		return 0;
	while (atomic_load(&cpu.acked) < now)
		sched_yield();
	return 1;
}

/* What must hold when CPUs are told: the slices are gone, the rest of their 2 MiB is there. */
static unsigned fake_shootdown(void *ctx, const struct stage2_slice *slice, unsigned n)
{
	step('S');
	for (unsigned i = 0; i < n; i++) {
		const uint64_t first = gpa_raw(slice[i].gpa), end = first + slice[i].size;
		struct stage2_mapping m;

		cr_assert_eq(maddr_raw(slice[i].maddr), first);
		for (uint64_t at = first & ~(PAGE_2M - 1); at < end || at % PAGE_2M; at += PAGE_SIZE) {
			bool gone = false;

			for (unsigned j = 0; j < n; j++)
				gone |= at - gpa_raw(slice[j].gpa) < slice[j].size;
			cr_assert_eq(stage2_lookup(&s2, gpa_init(at), &m), !gone, "0x%lx", at);
		}
	}
	return wait_for_cpu();
}

static uint64_t fake_surrender(void *ctx, maddr_t maddr, uint64_t size)
{
	step('G');
	return guest_mem_discard(&mem, maddr, size) == 0 ? size : 0;
}

static int restore_error, restores = -1; /* how many go well before the error; -1: all or none, as it says */

/* Nobody may be able to reach them yet. */
static int fake_restore(void *ctx, gpa_t gpa, uint64_t size)
{
	struct stage2_mapping m;

	step('R');
	cr_assert_not(stage2_lookup(&s2, gpa, &m));
	return restores > 0 && restores-- ? 0 : restore_error;
}

static void fake_joined(void *ctx, gpa_t gpa, maddr_t maddr)
{
	struct stage2_mapping m;

	step('H');
	cr_assert(stage2_lookup(&s2, gpa, &m));
	cr_assert_eq(m.level, 2);
	cr_assert_eq(maddr_raw(m.maddr), maddr_raw(maddr));
	cr_assert_eq(maddr_raw(maddr) % PAGE_2M, 0);
}

static const struct stage2_reclaim_ops ops = {
    .shootdown = fake_shootdown,
    .surrender = fake_surrender,
    .restore = fake_restore,
    .joined = fake_joined,
};

static int reclaim(uint64_t gpa, uint64_t size)
{
	struct stage2_slice slice = {.gpa = gpa_init(gpa), .size = size};

	return stage2_reclaim(&s2, &slice, 1, &ops, NULL, &counters);
}

static int release(uint64_t gpa, uint64_t size)
{
	const struct stage2_slice slice = {.gpa = gpa_init(gpa), .size = size};
	unsigned done;
	int r = stage2_release(&s2, &slice, 1, &ops, NULL, &counters, &done);

	cr_assert_eq(done, r == 0);
	return r;
}

static void begin(void)
{
	memset(&cpu, 0, sizeof(cpu));
	memset(&counters, 0, sizeof(counters));
	memset(steps, 0, sizeof(steps));
	cr_assert_eq(guest_mem_init(&mem, 64 << 20, BACKING_4K), 0);
	cr_assert_eq(stage2_init(&s2, &mem), 0);
}

static void end(void)
{
	struct pt_violation v;

	cr_assert_eq(stage2_audit(&s2, &v), 0);
	stage2_destroy(&s2);
	guest_mem_destroy(&mem);
}

TestSuite(reclaim, .init = begin, .fini = end);

/* 64 KiB out of the middle of 2 MiB: the counts that this is sold by, and the order of the protocol. */
Test(reclaim, a_slice)
{
	memset(mem.region[0].host + BLOCK, 0x5a, PAGE_2M);
	cr_assert_eq(reclaim(SLICE, SLICE_PAGES * PAGE_SIZE), 0);
	cr_assert_str_eq(steps, "SG");
	cr_assert_eq(read_counter(CTR_STAGE2_SPLITS), 1);
	cr_assert_eq(read_counter(CTR_STAGE2_KEPT), 512 - SLICE_PAGES);
	cr_assert_eq(read_counter(CTR_STAGE2_REMOVED), SLICE_PAGES);
	cr_assert_eq(read_counter(CTR_STAGE2_SHOOTDOWNS), 1);
	cr_assert_eq(read_counter(CTR_STAGE2_ACKS), 0, "nobody runs");
	cr_assert_eq(read_counter(CTR_STAGE2_SURRENDERED), SLICE_PAGES * PAGE_SIZE);
	for (uint64_t at = BLOCK; at < BLOCK + PAGE_2M; at++)
		cr_assert_eq(mem.region[0].host[at], at >= SLICE && at < SLICE + SLICE_PAGES * PAGE_SIZE ? 0 : 0x5a);
}

/* A host that has nothing to give back: the slice stays away, whole, and comes back when there is something. */
Test(reclaim, nothing_to_give_back)
{
	struct stage2_mapping m;

	cr_assert_eq(reclaim(SLICE, SLICE_PAGES * PAGE_SIZE), 0);
	restore_error = -ENOMEM;
	cr_assert_eq(release(SLICE, SLICE_PAGES * PAGE_SIZE), -ENOMEM);
	for (uint64_t at = SLICE; at < SLICE + SLICE_PAGES * PAGE_SIZE; at += PAGE_SIZE)
		cr_assert_not(stage2_lookup(&s2, gpa_init(at), &m));
	cr_assert_eq(read_counter(CTR_STAGE2_RELEASED), 0);
	restore_error = 0;
	cr_assert_eq(release(SLICE, SLICE_PAGES * PAGE_SIZE), 0);
	cr_assert_eq(read_counter(CTR_STAGE2_RELEASED), SLICE_PAGES);
	cr_assert_eq(read_counter(CTR_STAGE2_COLLAPSES), 1);
}

/* Given back in two parts: only the second makes 2 MiB of it again. Frames are made usable before they are mapped. */
Test(reclaim, comes_back_and_collapses)
{
	struct stage2_mapping m;

	cr_assert_eq(reclaim(SLICE, SLICE_PAGES * PAGE_SIZE), 0);
	memset(steps, 0, sizeof(steps));
	cr_assert_eq(release(SLICE, PAGE_SIZE), 0);
	cr_assert_str_eq(steps, "R");
	cr_assert_eq(read_counter(CTR_STAGE2_COLLAPSES), 0);
	cr_assert_eq(release(SLICE + PAGE_SIZE, (SLICE_PAGES - 1) * PAGE_SIZE), 0);
	cr_assert_str_eq(steps, "RRH");
	cr_assert_eq(read_counter(CTR_STAGE2_COLLAPSES), 1);
	cr_assert_eq(read_counter(CTR_STAGE2_RELEASED), SLICE_PAGES);
	cr_assert(stage2_lookup(&s2, gpa_init(SLICE), &m));
	cr_assert_eq(m.level, 2);
	cr_assert_eq(maddr_raw(m.maddr), SLICE);
}

/* The smallest guests have hardly any tables: every slice of theirs, in whatever order, comes back all the same. */
Test(reclaim, smallest_guests)
{
	for (uint64_t size = PAGE_2M; size <= 3 * PAGE_2M; size += PAGE_2M) {
		end();
		cr_assert_eq(guest_mem_init(&mem, size, BACKING_4K), 0);
		cr_assert_eq(stage2_init(&s2, &mem), 0);
		for (int round = 0; round < 3; round++) {
			for (uint64_t at = 0; at < size; at += PAGE_2M)
				cr_assert_eq(reclaim(at + PAGE_SIZE, PAGE_SIZE), 0);
			for (uint64_t at = 0; at < size; at += PAGE_2M)
				cr_assert_eq(release(at + PAGE_SIZE, PAGE_SIZE), 0, "%lu MiB: 0x%lx", size >> 20, at);
			cr_assert_eq(reclaim(0, size), 0);
			cr_assert_eq(release(0, size), 0);
		}
	}
}

/* Across three 2 MiB leaves: both ends are split, the middle goes whole; and all of it collapses. */
Test(reclaim, over_several_leaves)
{
	const uint64_t first = 3 * PAGE_2M - 5 * PAGE_SIZE, size = PAGE_2M + 12 * PAGE_SIZE;

	cr_assert_eq(reclaim(first, size), 0);
	cr_assert_eq(read_counter(CTR_STAGE2_SPLITS), 2);
	cr_assert_eq(read_counter(CTR_STAGE2_KEPT), 512 - 5 + 512 - 7);
	cr_assert_eq(read_counter(CTR_STAGE2_REMOVED), 512 + 12);
	cr_assert_eq(release(first, size), 0);
	cr_assert_eq(read_counter(CTR_STAGE2_COLLAPSES), 2);
	cr_assert_str_eq(steps, "SGRHHH");
	/* Whole leaves owe nothing but the shootdown. */
	cr_assert_eq(reclaim(PAGE_2M, 4 * PAGE_2M), 0);
	cr_assert_eq(release(PAGE_2M, 4 * PAGE_2M), 0);
	cr_assert_eq(read_counter(CTR_STAGE2_SPLITS), 2);
	cr_assert_eq(read_counter(CTR_STAGE2_COLLAPSES), 2);
	cr_assert_eq(reclaim(0, mem.size), 0, "all there is");
	cr_assert_eq(release(0, mem.size), 0);
}

/* Several slices: one shootdown before the first frame goes, a split where a leaf is met first, and all or none. */
Test(reclaim, several_at_once)
{
	struct stage2_slice slice[] = {
	    {.gpa = gpa_init(BLOCK + PAGE_SIZE), .size = PAGE_SIZE},
	    {.gpa = gpa_init(BLOCK + 3 * PAGE_SIZE), .size = 2 * PAGE_SIZE},
	    {.gpa = gpa_init(BLOCK + PAGE_2M - PAGE_SIZE), .size = 2 * PAGE_SIZE},
	    {.gpa = gpa_init(BLOCK + 2 * PAGE_2M), .size = PAGE_2M},
	};

	cr_assert_eq(stage2_reclaim(&s2, slice, 4, &ops, NULL, &counters), 0);
	cr_assert_str_eq(steps, "SGGGG");
	cr_assert_eq(read_counter(CTR_STAGE2_SHOOTDOWNS), 1);
	cr_assert_eq(read_counter(CTR_STAGE2_SPLITS), 2);
	cr_assert_eq(read_counter(CTR_STAGE2_KEPT), 508 + 511, "four pages of the first block go, by three slices");
	cr_assert_eq(read_counter(CTR_STAGE2_REMOVED), 5 + 512);
	cr_assert_eq(read_counter(CTR_STAGE2_SURRENDERED), (5 + 512) * PAGE_SIZE);
	slice[0] = (struct stage2_slice){.gpa = gpa_init(PAGE_2M), .size = PAGE_SIZE};
	memset(steps, 0, sizeof(steps));
	cr_assert_eq(stage2_reclaim(&s2, slice, 2, &ops, NULL, &counters), -EALREADY, "the second is gone");
	slice[1] = (struct stage2_slice){.gpa = gpa_init(mem.size), .size = PAGE_SIZE};
	cr_assert_eq(stage2_reclaim(&s2, slice, 2, &ops, NULL, &counters), -EINVAL);
	cr_assert_str_eq(steps, "");
	cr_assert_eq(read_counter(CTR_STAGE2_SPLITS), 2);
}

/* Several slices back: each 2 MiB is joined once, after the last; when the host has no more, the rest stays away. */
Test(reclaim, several_back)
{
	struct stage2_slice slice[] = {
	    {.gpa = gpa_init(BLOCK + PAGE_SIZE), .size = PAGE_SIZE},
	    {.gpa = gpa_init(BLOCK + 3 * PAGE_SIZE), .size = 2 * PAGE_SIZE},
	    {.gpa = gpa_init(BLOCK + PAGE_2M - PAGE_SIZE), .size = 2 * PAGE_SIZE},
	    {.gpa = gpa_init(BLOCK + 2 * PAGE_2M), .size = PAGE_2M},
	};
	struct stage2_mapping m;
	unsigned done = 99;

	cr_assert_eq(stage2_reclaim(&s2, slice, 4, &ops, NULL, &counters), 0);
	memset(steps, 0, sizeof(steps));
	restores = 2;
	restore_error = -ENOMEM;
	cr_assert_eq(stage2_release(&s2, slice, 4, &ops, NULL, &counters, &done), -ENOMEM);
	cr_assert_eq(done, 2);
	cr_assert_str_eq(steps, "RRR");
	cr_assert_eq(read_counter(CTR_STAGE2_RELEASED), 3);
	cr_assert_eq(read_counter(CTR_STAGE2_COLLAPSES), 0);
	cr_assert_not(stage2_lookup(&s2, slice[2].gpa, &m));
	restore_error = 0;
	cr_assert_eq(stage2_release(&s2, slice, 4, &ops, NULL, &counters, &done), -EALREADY, "the first is back");
	cr_assert_eq(done, 0);
	memset(steps, 0, sizeof(steps));
	cr_assert_eq(stage2_release(&s2, slice + 2, 2, &ops, NULL, &counters, &done), 0);
	cr_assert_eq(done, 2);
	cr_assert_str_eq(steps, "RRHHH");
	cr_assert_eq(read_counter(CTR_STAGE2_COLLAPSES), 2);
}

/* As many single pages as there are leaves: a table for each, all asked for beforehand. */
Test(reclaim, a_hole_in_each_leaf)
{
	struct stage2_slice slice[32];

	for (unsigned i = 0; i < 32; i++)
		slice[i] = (struct stage2_slice){.gpa = gpa_init(i * PAGE_2M + PAGE_SIZE), .size = PAGE_SIZE};
	cr_assert_eq(mem.size, 32 * PAGE_2M);
	cr_assert_eq(stage2_reclaim(&s2, slice, 32, &ops, NULL, &counters), 0);
	cr_assert_eq(read_counter(CTR_STAGE2_SPLITS), 32);
	for (unsigned i = 0; i < 32; i++)
		cr_assert_eq(release(i * PAGE_2M + PAGE_SIZE, PAGE_SIZE), 0);
	cr_assert_eq(read_counter(CTR_STAGE2_COLLAPSES), 32);
}

/* What cannot be done changes nothing, and tells no CPU. */
Test(reclaim, refusals)
{
	uint64_t before, after;

	cr_assert_eq(reclaim(SLICE, PAGE_SIZE), 0);
	memset(steps, 0, sizeof(steps));
	before = tree_sum(&s2.pt);
	cr_assert_eq(reclaim(SLICE, PAGE_SIZE), -EALREADY);
	cr_assert_eq(reclaim(SLICE - PAGE_SIZE, 2 * PAGE_SIZE), -EALREADY);
	cr_assert_eq(reclaim(BLOCK, PAGE_2M), -EALREADY);
	cr_assert_eq(release(SLICE, 2 * PAGE_SIZE), -EALREADY);
	cr_assert_eq(release(BLOCK, PAGE_SIZE), -EALREADY);
	cr_assert_eq(reclaim(BLOCK + 1, PAGE_SIZE), -EINVAL);
	cr_assert_eq(reclaim(BLOCK, PAGE_SIZE - 1), -EINVAL);
	cr_assert_eq(reclaim(BLOCK, 0), -EINVAL);
	cr_assert_eq(reclaim(mem.size, PAGE_SIZE), -EINVAL);
	cr_assert_eq(reclaim(mem.size - PAGE_SIZE, 2 * PAGE_SIZE), -EINVAL);
	cr_assert_eq(reclaim(BLOCK, -PAGE_SIZE), -EINVAL);
	cr_assert_eq(release(-PAGE_SIZE, PAGE_SIZE), -EINVAL);
	after = tree_sum(&s2.pt);
	cr_assert_eq(before, after);
	cr_assert_str_eq(steps, "");
	cr_assert_eq(read_counter(CTR_STAGE2_SHOOTDOWNS), 1);
	cr_assert_eq(read_counter(CTR_STAGE2_KEPT), 511);
}

static void *reader(void *arg)
{
	while (!atomic_load(&cpu.stop)) {
		atomic_store(&cpu.acked, atomic_load(&cpu.asked)); /* holds no table and no translation here */
		for (uint64_t at = BLOCK; at < BLOCK + PAGE_2M; at += PAGE_SIZE) {
			struct stage2_mapping m;
			const bool found = stage2_lookup(&s2, gpa_init(at), &m);

			if (!found && (at < SLICE || at >= SLICE + SLICE_PAGES * PAGE_SIZE))
				atomic_fetch_add(&cpu.unreachable, 1);
			if (found && maddr_raw(m.maddr) != at)
				atomic_fetch_add(&cpu.wrong, 1);
		}
		atomic_fetch_add(&cpu.rounds, 1);
	}
	return NULL;
}

/* The 496 pages that stay are found, at the right frame, whenever another CPU looks; and it never looks at freed
 * tables. */
Test(reclaim, others_never_miss_a_page)
{
	atomic_store(&cpu.runs, true);
	cr_assert_eq(pthread_create(&cpu.thread, NULL, reader, NULL), 0);
	for (int i = 0; i < 2000; i++) {
		cr_assert_eq(reclaim(SLICE, SLICE_PAGES * PAGE_SIZE), 0);
		cr_assert_eq(release(SLICE, SLICE_PAGES * PAGE_SIZE), 0);
	}
	atomic_store(&cpu.stop, true);
	pthread_join(cpu.thread, NULL);
	cr_assert_eq(cpu.unreachable, 0);
	cr_assert_eq(cpu.wrong, 0);
	cr_assert_gt(cpu.rounds, 2000);
	cr_assert_eq(read_counter(CTR_STAGE2_COLLAPSES), 2000);
	cr_assert_eq(read_counter(CTR_STAGE2_SHOOTDOWNS), 2000);
	cr_assert_eq(read_counter(CTR_STAGE2_ACKS), 2000);
}
