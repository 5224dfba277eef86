/* SPDX-License-Identifier: MIT */
/*
 * Splits and collapses while a CPU walks the same tree and sets A and D: no page is ever out of
 * reach, none yields another frame, and no D bit is lost. The CPU keeps a paging-structure
 * cache, which it drops only when a flush asks for it.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "test_pgtable_fixture.c"

#define PAGES  1024 /* two large pages */
#define ROUNDS 400

struct race {
	struct pt pt;
	struct arena *arena;
	atomic_uint asked, done; /* flush generation, and the one the CPU has seen */
	atomic_bool hold, stop;  /* hold: the CPU waits after it has seen the flush */
	atomic_uint out_of_reach, wrong_frame;
	bool written[PAGES]; /* the CPU's; read and cleared while it is held */
};

#define PA_BASE (64 * PAGE_2M)

/* The table of level-1 entries for `va`, if that is how it is mapped now. */
static struct pt_table *cache_table(struct pt *pt, uint64_t va)
{
	struct pt_table *table = pt->root;

	for (int level = pt->fmt->levels; level > 1; level--) {
		uint64_t *slot = &table->entry[pt_index(pt->fmt, va, level)];
		pte_t e = pte_init(__atomic_load_n(slot, __ATOMIC_ACQUIRE));

		if (!pt_is_table(pt->fmt, e, level))
			return pt->root;
		table = pt->ops->find(pt->ctx, pt->fmt->address(e, level));
	}
	return table;
}

static void *cpu(void *arg)
{
	struct race *r = arg;
	uint64_t random = 42, pa;
	struct pt_table *cached[2];

	while (!atomic_load(&r->stop)) {
		unsigned asked = atomic_load(&r->asked);

		atomic_store(&r->done, asked);
		while (atomic_load(&r->hold) && atomic_load(&r->asked) == asked)
			sched_yield();
		/* What is cached was linked after the flush that was just acknowledged: no table freed before it. */
		for (int i = 0; i < 2; i++)
			cached[i] = cache_table(&r->pt, i * PAGE_2M);
		while (atomic_load(&r->asked) == asked && !atomic_load(&r->stop)) {
			uint64_t page = next_random(&random) % PAGES;
			struct pt_table *from = next_random(&random) % 2 ? cached[page / 512] : r->pt.root;
			bool write = next_random(&random) % 4 == 0;

			if (!cpu_touch_from(&r->pt, from, page * PAGE_SIZE, write, &pa))
				atomic_fetch_add(&r->out_of_reach, 1);
			else if (pa != PA_BASE + page * PAGE_SIZE)
				atomic_fetch_add(&r->wrong_frame, 1);
			else
				r->written[page] |= write;
		}
	}
	return NULL;
}

static void flush(struct race *r)
{
	unsigned want = atomic_fetch_add(&r->asked, 1) + 1;

	while (atomic_load(&r->done) != want)
		sched_yield();
}

/* With the CPU held: each page it wrote since the last time has D. Then D and A start from zero. */
static unsigned check_written(struct race *r, struct pt_gather *g)
{
	unsigned nr_written = 0, lost = 0;

	atomic_store(&r->hold, true);
	flush(r);
	for (int i = 0; i < PAGES; i++) {
		struct pt_mapping at;

		cr_assert_eq(pt_lookup(&r->pt, i * PAGE_SIZE, &at), 0);
		nr_written += r->written[i];
		lost += r->written[i] && !(at.attrs & PT_D);
		r->written[i] = false;
	}
	cr_assert_eq(lost, 0, "%u of %u written pages lost their D bit", lost, nr_written);
	cr_assert_eq(pt_protect(&r->pt, 0, PAGES * PAGE_SIZE, 0, PT_AD, g), 0);
	atomic_store(&r->hold, false);
	return nr_written;
}

static void let_cpu_run(struct race *r, uint64_t spins)
{
	while (spins--)
		atomic_load(&r->stop);
}

static void run(const struct pt_format *fmt)
{
	struct race *r = calloc(1, sizeof(*r));
	struct pt_gather g = PT_GATHER_INIT;
	uint64_t random = 7, written = 0;
	pthread_t thread;

	r->arena = arena_new();
	cr_assert_eq(pt_init(&r->pt, fmt, &arena_ops, r->arena), 0);
	cr_assert_eq(pt_map(&r->pt, 0, PAGES * PAGE_SIZE, PA_BASE, PT_RWX, 2, &g), 0);
	cr_assert_eq(pthread_create(&thread, NULL, cpu, r), 0);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t va = next_random(&random) % PAGES * PAGE_SIZE;

		/*
		 * Each step that could lose D stands between two checks: a later write, or a collapse, which
		 * unites the D bits of 512 pages, would hide the loss.
		 */
		written += check_written(r, &g);
		let_cpu_run(r, next_random(&random) % 512);
		cr_assert_eq(pt_split(&r->pt, va, 1, &g), 0);
		written += check_written(r, &g);
		let_cpu_run(r, next_random(&random) % 8192);
		cr_assert_eq(pt_protect(&r->pt, 0, PAGES * PAGE_SIZE, 0, PT_A, &g), 0);
		written += check_written(r, &g);
		if (i % 4 == 0) {
			flush(r);
			pt_gather_finish(&r->pt, &g);
		}
		cr_assert_eq(pt_collapse(&r->pt, va, 2, &g), 0);
		flush(r);
		pt_gather_finish(&r->pt, &g);
	}
	atomic_store(&r->stop, true);
	pthread_join(thread, NULL);
	cr_expect_eq(atomic_load(&r->out_of_reach), 0, "a page that stays was out of reach");
	cr_expect_eq(atomic_load(&r->wrong_frame), 0);
	cr_expect_gt(written, 0, "the CPU wrote nothing: the race was not run");
	expect_sound(&r->pt);
	pt_destroy(&r->pt);
	arena_delete(r->arena);
	free(r);
}

Test(pgtable_race, x86_64)
{
	run(&pt_x86_64);
}
Test(pgtable_race, ept)
{
	run(&pt_ept);
}
Test(pgtable_race, sv39)
{
	run(&pt_sv39);
}
