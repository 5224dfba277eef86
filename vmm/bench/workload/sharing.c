/* SPDX-License-Identifier: MIT */
#include "bench/workload/sharing.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/clock.h"
#include "bench/workload/turn.h"
#include "share/descent.h"

#define SIZE       PAGE_1G
#define SIZE_QUICK (64ull << 20)
#define ROUNDS     6
#define STEP       2048 /* pages, as the control socket works */

static uint64_t pages(const struct sharing_results *res)
{
	return res->size / PAGE_SIZE;
}

static uint8_t *bytes(struct sharing_results *res, int which)
{
	return guest_mem_ptr(&res->memory[which].mem, maddr_init(0), res->size);
}

static uint64_t changed_pages(const struct sharing_results *res, size_t i)
{
	const uint64_t k = sharing_k[sharing_index(i)];

	return k < pages(res) ? k : pages(res);
}

/* A signal came: on a busy host a gigabyte takes longer than whoever sent it waits. */
static bool is_over(const struct sharing_results *res)
{
	struct pollfd signal = {.fd = res->plan->limits.signal_fd, .events = POLLIN};

	return signal.fd >= 0 && poll(&signal, 1, 0) > 0;
}

/* 0 or -EINTR. */
static int update(const struct sharing_results *res, struct fingerprint *f, const struct stage2 *s2)
{
	fingerprint_begin(f);
	while (!fingerprint_work(f, s2, STEP))
		if (is_over(res))
			return -EINTR;
	return 0;
}

static int make_memory(struct sharing_results *res, int which)
{
	struct sharing_memory *m = &res->memory[which];
	int r = guest_mem_init(&m->mem, res->size, BACKING_THP);
	uint64_t *word;

	if (r == 0)
		r = stage2_init(&m->s2, &m->mem);
	if (r < 0)
		return r;
	word = (uint64_t *)(void *)bytes(res, which);
	for (uint64_t i = 0; i < res->size / sizeof(*word); i++) {
		if (i % (STEP * PAGE_SIZE / sizeof(*word)) == 0 && is_over(res))
			return -EINTR;
		word[i] = (i + 1) * 0x9e3779b97f4a7c15ull;
	}
	return 0;
}

static int begin(void *results, const struct bench_plan *plan)
{
	struct sharing_results *res = results;
	int r;

	res->plan = plan;
	res->size = plan->quick ? SIZE_QUICK : SIZE;
	res->map = calloc(bitmap_words(pages(res)), sizeof(*res->map));
	r = res->map ? 0 : -ENOMEM;
	for (int i = 0; r == 0 && i < SHARING_CASES; i++) {
		r = series_pair(plan->rounds, &res->update[i], &res->other[i]);
		if (r == 0)
			r = series_pair(plan->rounds, &res->descent[i], &res->bitmap[i]);
	}
	return r < 0 ? r : sharing_guests_begin(&res->guests, plan);
}

/* Two memories with the same content, and each one's fingerprints: with the first case, for all. -EINTR. */
static int prepare(void *results, const struct turn *turn)
{
	static const uint8_t key[SHARE_KEY] = "the same in each run";
	struct sharing_results *res = results;
	int r = 0;

	for (int which = 0; r == 0 && which < 2 && turn->i == 0; which++)
		r = make_memory(res, which);
	for (int i = 0; r == 0 && i < SHARING_HASHES * 2 && turn->i == 0; i++) {
		r = fingerprint_create((enum share_algorithm)(i / 2), key, res->size, &res->f[i / 2][i % 2]);
		if (r == 0)
			r = update(res, res->f[i / 2][i % 2], &res->memory[i % 2].s2);
	}
	return r;
}

static size_t nr_cases(const void *results)
{
	const struct sharing_results *res = results;
	const bool guests = res->plan->where & (1u << BENCH_NESTED | 1u << BENCH_SHADOW);

	return SHARING_CASES + (guests ? SHARING_GUEST_CASES : 0);
}

static bool is_due(const void *results, size_t i)
{
	const struct sharing_results *res = results;

	return i < SHARING_CASES ||
	       (res->plan->where >> sharing_where(i - SHARING_CASES) & 1 && !*res->guests.na[i - SHARING_CASES]);
}

static void describe(const void *results, size_t i, char *ret_text, size_t size)
{
	const char *hash;

	if (i >= SHARING_CASES) {
		sharing_guests_describe(i - SHARING_CASES, ret_text, size);
		return;
	}
	hash = share_algorithm_name(sharing_hash(i));
	if (sharing_index(i) < 0)
		snprintf(ret_text, size, "first fingerprint, %s", hash);
	else
		snprintf(ret_text, size, "%llu pages differ, %s", (unsigned long long)changed_pages(results, i), hash);
}

static int take_first(struct sharing_results *res, size_t i, int round)
{
	struct fingerprint *f = res->f[sharing_hash(i)][0];
	const uint8_t *page = bytes(res, 0);
	unsigned sum = 0;
	int r;
	int64_t start = clock_cpu_us();

	for (uint64_t n = 0; n < pages(res); n++) {
		if (n % STEP == 0 && is_over(res))
			return -EINTR;
		sum += share_hash_page(&f->hash, SHARE_RIGHTS - 1, page + n * PAGE_SIZE).byte[0];
	}
	res->other[i][round] = clock_cpu_us() - start;
	BUG_ON(sum == UINT32_MAX); /* no compiler leaves it out */
	fingerprint_due(f, NULL);
	start = clock_cpu_us();
	r = update(res, f, &res->memory[0].s2);
	res->update[i][round] = clock_cpu_us() - start;
	return r;
}

/* Marks k pages and changes them, or changes the marked ones back. */
static void change(struct sharing_results *res, uint64_t k, unsigned *seed)
{
	uint8_t *to = bytes(res, 1);

	memset(res->map, 0, bitmap_words(pages(res)) * sizeof(*res->map));
	for (uint64_t i = 0; i < k;) {
		const uint64_t n =
		    k == pages(res) ? i : ((uint64_t)rand_r(seed) << 15 ^ (uint64_t)rand_r(seed)) % pages(res);

		if (bitmap_has(res->map, n))
			continue;
		bitmap_set(res->map, n);
		to[n * PAGE_SIZE + PAGE_SIZE - 1]++; /* where a comparison that stops early comes last */
		i++;
	}
}

static void change_back(struct sharing_results *res)
{
	for (uint64_t n = 0; n < pages(res); n++)
		if (bitmap_has(res->map, n))
			bytes(res, 1)[n * PAGE_SIZE + PAGE_SIZE - 1]--;
}

/* How many pages differ, of all or of those in the map. */
static uint64_t compare_pages(struct sharing_results *res, bool all)
{
	const uint8_t *a = bytes(res, 0), *b = bytes(res, 1);
	uint64_t differ = 0;

	for (uint64_t n = 0; n < pages(res); n++) {
		if (!all && !res->map[n / BITMAP_WORD]) {
			n |= BITMAP_WORD - 1;
			continue;
		}
		if (all || bitmap_has(res->map, n))
			differ += memcmp(a + n * PAGE_SIZE, b + n * PAGE_SIZE, PAGE_SIZE) != 0;
	}
	return differ;
}

static int hashes(void *ctx, int level, uint64_t first, unsigned count, struct share_digest *ret)
{
	const struct fingerprint *f = ctx;

	for (unsigned i = 0; i < count; i++)
		ret[i] = share_tree_get(&f->tree, level, first + i);
	return 0;
}

static int take_diff(struct sharing_results *res, size_t i, int round, unsigned seed)
{
	struct fingerprint *const *f = res->f[sharing_hash(i)];
	const struct descent_side a = {hashes, f[0], pages(res)}, b = {hashes, f[1], pages(res)};
	const uint64_t k = changed_pages(res, i);
	struct descent_result found;
	int64_t start;
	int r;

	change(res, k, &seed);
	start = clock_cpu_us();
	fingerprint_due(f[1], res->map);
	r = update(res, f[1], &res->memory[1].s2);
	if (r < 0)
		return r;
	res->update[i][round] = clock_cpu_us() - start;
	start = clock_cpu_us();
	r = descent_run(&a, &b, NULL, NULL, &found);
	res->descent[i][round] = clock_cpu_us() - start;
	start = clock_cpu_us();
	BUG_ON(r < 0 || found.pages != k || compare_pages(res, true) != k);
	res->other[i][round] = clock_cpu_us() - start;
	start = clock_cpu_us();
	BUG_ON(compare_pages(res, false) != k);
	res->bitmap[i][round] = clock_cpu_us() - start;
	if (found.comparisons > res->comparisons[i])
		res->comparisons[i] = found.comparisons;
	change_back(res);
	fingerprint_due(f[1], res->map);
	return update(res, f[1], &res->memory[1].s2);
}

static int take_turn(void *results, const struct turn *turn)
{
	struct sharing_results *res = results;

	if (is_over(res))
		return -EINTR;
	if (turn->i >= SHARING_CASES)
		return sharing_guests_turn(&res->guests, res->plan, turn->i - SHARING_CASES, turn);
	if (sharing_index(turn->i) < 0)
		return take_first(res, turn->i, turn->round);
	return take_diff(res, turn->i, turn->round, (unsigned)(res->plan->seed + turn->i * 1000 + turn->round));
}

static void finish(void *results, const struct bench_run *run)
{
	((struct sharing_results *)results)->rounds = run->done[BOUND_SMALL];
}

static bool any(const void *results)
{
	return ((const struct sharing_results *)results)->rounds > 0;
}

static void release(void *results)
{
	struct sharing_results *res = results;

	for (int i = 0; i < SHARING_CASES; i++) {
		free(res->update[i]);
		free(res->descent[i]);
	}
	for (int i = 0; i < SHARING_HASHES * 2; i++)
		fingerprint_destroy(res->f[i / 2][i % 2]);
	for (int which = 0; which < 2; which++) {
		stage2_destroy(&res->memory[which].s2);
		guest_mem_destroy(&res->memory[which].mem);
	}
	free(res->map);
	sharing_guests_release(&res->guests);
}

const struct workload sharing_workload = {
    .name = "sharing",
    .what = "fingerprints of memory; guests that are saved, restored, merged or share a file",
    .needs = 1 << BENCH_KERNEL,
    .rounds = ROUNDS,
    .quick_rounds = ROUNDS,
    .results_size = sizeof(struct sharing_results),
    .begin = begin,
    .nr_cases = nr_cases,
    .is_due = is_due,
    .describe = describe,
    .prepare = prepare,
    .turn = take_turn,
    .finish = finish,
    .any = any,
    .tables = {sharing_report_first, sharing_report_diff, sharing_report_snapshot, sharing_report_restore,
               sharing_report_guests},
    .explain = sharing_explain,
    .release = release,
};
