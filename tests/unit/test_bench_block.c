/* SPDX-License-Identifier: MIT */
/* A block of loads: who does it, what comes before, and what time comes out. */
#include <criterion/criterion.h>
#include <pthread.h>

#include "bench/workload/miss.h"
#include "bench/workload/miss_native.h"

/* The two loops are measured against each other: they come to the same line, and the time is of all loads. */
Test(bench_block, reference_loop)
{
	void *lines[64][8] = {{NULL}};
	struct arena_block a, b;

	for (size_t i = 0; i < 64; i++)
		lines[i][0] = lines[(i + 1) % 64];
	for (uint64_t warm = 0; warm <= 32; warm += 16) {
		a = b = (struct arena_block){.line = (uintptr_t)lines[0], .warm = warm, .loads = 1 << 20};
		arena_run(&a);
		miss_reference(&b);
		cr_expect_eq(a.line, (uintptr_t)lines[warm % 64]);
		cr_expect_eq(b.line, a.line);
		cr_expect_gt(b.tsc, 0u);
		cr_expect(a.parts == ARENA_PARTS && b.parts == ARENA_PARTS);
		for (int i = 0; i < ARENA_PARTS; i++) {
			cr_expect(a.part[i] > 0 && b.part[i] > 0);
			a.tsc -= a.part[i];
			b.tsc -= b.part[i];
		}
		cr_expect(a.tsc == 0 && b.tsc == 0, "the parts are all of it");
	}
	b = (struct arena_block){.line = (uintptr_t)lines[0], .loads = 16};
	miss_reference(&b);
	cr_expect_eq(b.line, (uintptr_t)lines[16]);
}

/* Less than half of the parts may be anything: the block is what the others say. */
Test(bench_block, disturbed_parts)
{
	struct arena_block b = {.loads = 1600, .parts = ARENA_PARTS};

	for (int i = 0; i < ARENA_PARTS; i++)
		b.part[i] = i % 16 < 7 ? 90000000 : 200;
	cr_expect_eq(miss_ticks(&b), 2);
	b = (struct arena_block){.loads = 48, .parts = 1, .part = {96}};
	cr_expect_eq(miss_ticks(&b), 2);
}

/* A guest writes what it likes into its block: what is no answer is not computed with. */
Test(bench_block, answers)
{
	cr_expect(miss_is_done(&(struct arena_block){.loads = 48, .parts = 1}, 48));
	cr_expect(miss_is_done(&(struct arena_block){.loads = 48, .parts = ARENA_PARTS}, 48));
	cr_expect_not(miss_is_done(&(struct arena_block){.loads = 48, .parts = 0}, 48));
	cr_expect_not(miss_is_done(&(struct arena_block){.loads = 48, .parts = ARENA_PARTS + 1}, 48));
	cr_expect_not(miss_is_done(&(struct arena_block){.loads = 48, .parts = ~0u}, 48));
	cr_expect_not(miss_is_done(&(struct arena_block){.loads = 0, .parts = 1}, 48));
}

static pthread_t did;

static void note_thread(struct arena_block *b)
{
	did = pthread_self();
	b->line += b->loads;
	b->tsc = 7;
}

/* A native environment is a thread that was woken, as a guest is: not the benchmark's, which a busy host treats otherwise. */
Test(bench_block, native_has_a_hand)
{
	struct miss_native *n = miss_native_start(note_thread);
	struct arena_block b = {.line = 100, .loads = 16};

	cr_assert(n);
	for (int i = 1; i <= 3; i++) {
		cr_assert_eq(miss_native_do(n, &b), 0);
		cr_expect_eq(b.line, 100u + 16 * i);
		cr_expect_eq(b.tsc, 7u);
		cr_expect(!pthread_equal(did, pthread_self()));
	}
	miss_native_stop(n);
	miss_native_stop(NULL);
}

/* Each environment brings its own tables into the caches; after a sweep nothing may be there. */
Test(bench_block, once_round_before)
{
	for (uint32_t pages = 16; pages <= 16384; pages *= 2)
		cr_expect_eq(miss_warm_loads(&(struct miss_ring){.pages = pages}), pages);
	cr_expect_eq(miss_warm_loads(&(struct miss_ring){.pages = 17}), 32u);
	cr_expect_eq(miss_warm_loads(&(struct miss_ring){.pages = 65536}), 16384u);
	cr_expect_eq(miss_warm_loads(&(struct miss_ring){.pages = 4096, .cold = true}), 0u);
}
