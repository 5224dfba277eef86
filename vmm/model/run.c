/* SPDX-License-Identifier: MIT */
#include "model/run.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/thread.h"
#include "model/design/memory.h"
#include "model/design/random.h"

#define MAX_THREADS 256

struct run {
	const struct run_plan *plan;
	struct run_lane *lane;
	size_t nr;
	const uint64_t *va; /* the batch */
	size_t count, warm; /* addresses, of which so many do not count */
	/* Guarded by `lock`. */
	pthread_mutex_t lock;
	pthread_cond_t begin, done;
	uint64_t batch;       /* a number that changes with each */
	size_t next, working; /* lane to be taken; lanes of the batch that are not done */
	bool end;
};

/* ---- one lane ---- */

/* A frame of an unmapped page, as most have one size, or a new one. */
static int take_frame(struct run_lane *lane, int shift, uint64_t *ret_pa)
{
	struct run_freed *f = &lane->freed;

	if (!f->nr || (int)(f->pa[f->nr - 1] & 63) != shift)
		return model_memory_page(lane->walker->memory, shift, ret_pa);
	*ret_pa = f->pa[--f->nr] & ~63ull;
	return 0;
}

static int give_frame(struct run_lane *lane, uint64_t pa, int shift)
{
	struct run_freed *f = &lane->freed;

	if (f->nr == f->room) {
		const size_t room = f->room ? 2 * f->room : 64;
		uint64_t *more = realloc(f->pa, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		f->pa = more;
		f->room = room;
	}
	f->pa[f->nr++] = pa | (unsigned)shift;
	return 0;
}

void run_lane_end(struct run_lane *lane)
{
	free(lane->freed.pa);
	lane->freed = (struct run_freed){0};
}

static int map_page(struct run_lane *lane, uint64_t va, int shift)
{
	uint64_t pa;
	int r = take_frame(lane, shift, &pa);

	return r < 0 ? r : walker_map(lane->walker, va >> shift << shift, pa, shift, PT_RWX);
}

static int shift_of(const struct run_plan *plan, uint64_t va)
{
	const struct model_range *range = model_range_of(plan->range, plan->nr_ranges, va);

	return range ? range->page_shift : plan->page_shift;
}

/* ---- what is fetched before it is needed ---- */

#define BLOCK 64 /* addresses for which everything is fetched before their walks */

/* Smaller tables are in the caches anyway. */
#define AHEAD_BYTES (1u << 20)

/* It pays if tables are large, and not nearly all addresses hit a TLB. */
static bool fetching_pays(const struct run *run, const struct run_lane *lane)
{
	struct model_usage usage;

	if (!lane->walker->ops->ahead || 8 * lane->walks < run->count)
		return false;
	walker_usage(lane->walker, &usage);
	return usage.table_bytes >= AHEAD_BYTES;
}

/* Where the walk will read last, and the data: their lines are looked for in the modelled caches. */
static void fetch_sets(const struct run_lane *lane, const struct walker_ahead *a)
{
	for (unsigned i = 0; i < a->nr; i++)
		model_mmu_ahead(lane->mmu, a->entry[i]);
	model_mmu_ahead(lane->mmu, a->pa);
}

static void fetch_block(const struct run_lane *lane, const uint64_t *va, size_t nr)
{
	struct walker_ahead ahead[BLOCK];

	for (size_t i = 0; i < nr; i++)
		ahead[i] = (struct walker_ahead){.va = va[i], .known = true};
	lane->walker->ops->ahead(lane->walker, ahead, nr);
	for (size_t i = 0; i < nr; i++)
		if (ahead[i].known)
			fetch_sets(lane, &ahead[i]);
}

/* ---- one access ---- */

static int translate(struct run_lane *lane, uint64_t va, const struct run_plan *plan, struct model_walk *walk)
{
	int r;

	if (model_mmu_hit(lane->mmu, va))
		return 0;
	lane->walks++;
	walker_walk(lane->walker, va, walk);
	if (!walk->mapped) {
		r = map_page(lane, va, shift_of(plan, va));
		if (r < 0)
			return r;
		walker_walk(lane->walker, va, walk);
		if (!walk->mapped)
			return -EFAULT;
	}
	model_mmu_walk(lane->mmu, va, walk);
	return 0;
}

/* Every lane unmaps the same pages; one that two addresses have is unmapped once. */
static int unmap_some(const struct run *run, struct run_lane *lane)
{
	uint64_t random = run->va[0];
	int r = 0;

	for (unsigned i = 0; i < run->plan->churn && (r == 0 || r == -ENOENT); i++) {
		const uint64_t va = run->va[model_random_below(&random, run->count)];
		const int shift = shift_of(run->plan, va);
		const uint64_t page = va >> shift << shift;
		uint64_t pa;

		r = walker_unmap(lane->walker, page, shift, &pa);
		if (r == 0) {
			model_mmu_flush(lane->mmu, page, shift);
			r = give_frame(lane, pa, shift);
		}
		lane->error_at = va;
	}
	return r == -ENOENT ? 0 : r;
}

static void run_lane(const struct run *run, struct run_lane *lane, struct model_walk *walk)
{
	const bool fetching = fetching_pays(run, lane);

	lane->walks = 0;
	for (size_t i = 0; i < run->count && !lane->error; i++) {
		if (fetching && i % BLOCK == 0)
			fetch_block(lane, run->va + i, run->count - i < BLOCK ? run->count - i : BLOCK);
		if (i == run->warm && run->warm)
			model_mmu_forget_counts(lane->mmu);
		lane->error = translate(lane, run->va[i], run->plan, walk);
		lane->error_at = run->va[i];
	}
	if (!lane->error && run->plan->churn)
		lane->error = unmap_some(run, lane);
	if (run->warm && run->warm == run->count)
		model_mmu_forget_counts(lane->mmu);
}

/* ---- threads ---- */

/* Takes lanes until there is none left. With the lock, which is let go of for each. */
static void take_lanes(struct run *run, struct model_walk *walk)
{
	while (run->next < run->nr) {
		struct run_lane *const lane = &run->lane[run->next++];

		pthread_mutex_unlock(&run->lock);
		run_lane(run, lane, walk);
		pthread_mutex_lock(&run->lock);
		if (--run->working == 0)
			pthread_cond_signal(&run->done);
	}
}

static void *work(void *arg)
{
	struct run *run = arg;
	struct model_walk walk;
	uint64_t seen = 0;

	pthread_mutex_lock(&run->lock);
	while (!run->end) {
		if (run->batch == seen) {
			pthread_cond_wait(&run->begin, &run->lock);
			continue;
		}
		seen = run->batch;
		take_lanes(run, &walk);
	}
	pthread_mutex_unlock(&run->lock);
	return NULL;
}

static void begin_batch(struct run *run, const uint64_t *va, size_t count, uint64_t done)
{
	const uint64_t warm = run->plan->warm;

	pthread_mutex_lock(&run->lock);
	run->va = va;
	run->count = count;
	run->warm = warm <= done ? 0 : warm - done < count ? warm - done : count;
	run->next = 0;
	run->working = run->nr;
	run->batch++;
	pthread_cond_broadcast(&run->begin);
	pthread_mutex_unlock(&run->lock);
}

/* The caller's thread helps. */
static void end_batch(struct run *run, struct model_walk *walk)
{
	pthread_mutex_lock(&run->lock);
	take_lanes(run, walk);
	while (run->working)
		pthread_cond_wait(&run->done, &run->lock);
	pthread_mutex_unlock(&run->lock);
}

/* ---- the whole ---- */

static bool all_failed(const struct run *run)
{
	for (size_t i = 0; i < run->nr; i++)
		if (!run->lane[i].error)
			return false;
	return true;
}

static int read_batch(const struct run_plan *plan, uint64_t done, uint64_t *ret_va, size_t *ret_nr)
{
	const uint64_t all = plan->accesses ? plan->accesses + plan->warm : UINT64_MAX;
	const uint64_t left = all - done;
	int r = 0;

	*ret_nr = 0;
	if (left)
		r = model_source_next(plan->source, left < RUN_BATCH ? left : RUN_BATCH, ret_va, ret_nr);
	if (r == 0 && plan->tap)
		plan->tap(plan->ctx, ret_va, *ret_nr);
	return r;
}

static int run_batches(struct run *run, uint64_t (*va)[RUN_BATCH], struct model_walk *walk)
{
	const struct run_plan *plan = run->plan;
	uint64_t done = 0;
	size_t count, next;
	int r = read_batch(plan, 0, va[0], &count);

	for (unsigned turn = 0; r == 0 && count; turn ^= 1) {
		begin_batch(run, va[turn], count, done);
		done += count;
		next = 0;
		r = read_batch(plan, done, va[!turn], &next);
		end_batch(run, walk);
		count = next;
		if (r == 0 && plan->ask && plan->ask(plan->ctx, done))
			r = -EINTR;
		if (!plan->tap && run->nr && all_failed(run))
			break;
	}
	return r;
}

int model_run(const struct run_plan *plan, struct run_lane *lane, size_t nr)
{
	struct run run = {.plan = plan,
	                  .lane = lane,
	                  .nr = nr,
	                  .lock = PTHREAD_MUTEX_INITIALIZER,
	                  .begin = PTHREAD_COND_INITIALIZER,
	                  .done = PTHREAD_COND_INITIALIZER};
	uint64_t(*va)[RUN_BATCH] = malloc(2 * sizeof(*va));
	struct model_walk *walk = malloc(sizeof(*walk));
	pthread_t thread[MAX_THREADS];
	unsigned threads = 0;
	int r = 0;

	BUG_ON(plan->threads > MAX_THREADS);
	/* Where there is no thread to be had, those that there are do the work. */
	while (threads < plan->threads && thread_start(&thread[threads], work, &run) == 0)
		threads++;
	r = va && walk ? run_batches(&run, va, walk) : log_errno(ENOMEM, "model");
	pthread_mutex_lock(&run.lock);
	run.end = true;
	pthread_cond_broadcast(&run.begin);
	pthread_mutex_unlock(&run.lock);
	while (threads)
		pthread_join(thread[--threads], NULL);
	free(va);
	free(walk);
	return r;
}
