/* SPDX-License-Identifier: MIT */
/* From samples to the table of `miss`: ratios are of pairs, the worst interval counts, reasons fill the row. */
#include <criterion/criterion.h>
#include <errno.h>
#include <gnomon/addr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/workload/miss.h"
#include "bench/workload/miss_clock.h"
#include "bench/workload/miss_pmu.h"
#include "table_text.h"

#define TURNS 64

static struct host_info host;
static struct bench_plan plan = {.host = &host};
static struct miss_results results = {.plan = &plan};

/* Native loads drift by a factor of 3; guests take 1.25 and 2 times what the native load of their own turn takes. */
static void fill(struct miss_request *q)
{
	static const double factor[MISS_NR_WHO] = {1, 1, 1, 1.25, 1.25, 2, 2};

	*q = (struct miss_request){
	    .ring = {{.pages = 16}, {.pages = 4096}}, .nr_rings = 2, .who = 0x7f, .precision = 0.02};
	q->samples = calloc(1, sizeof(*q->samples));
	cr_assert(q->samples);
	q->samples->turns = TURNS;
	for (size_t i = 0; i < q->nr_rings; i++) {
		for (int who = 0; who < MISS_NR_WHO; who++) {
			q->samples->series[i].loads[who] = 1000;
			for (int n = 0; n < TURNS; n++)
				q->samples->series[i].ns[who][n] = factor[who] * (10 + 20.0 * n / TURNS);
		}
	}
}

/* Each stride adds 10 ns to the native load, cold ones take 100 more. */
static void fill_apart(struct miss_request *q)
{
	free(q->samples);
	fill(q);
	q->kind = ARENA_APART;
	q->nr_rings = 2 * ARENA_NR_STRIDES;
	for (size_t i = 0; i < q->nr_rings; i++) {
		struct miss_series *s = &q->samples->series[i];

		q->ring[i] = (struct miss_ring){64, i % ARENA_NR_STRIDES, i >= ARENA_NR_STRIDES};
		for (int who = 0; who < MISS_NR_WHO; who++) {
			s->loads[who] = 1000;
			for (int n = 0; n < TURNS; n++)
				s->ns[who][n] =
				    (n + 1) + (who ? who : 1) * (10.0 * q->ring[i].stride + 100 * q->ring[i].cold + 50);
		}
	}
}

static void begin(void)
{
	results.nr = 3;
	for (size_t i = 0; i < results.nr; i++)
		fill(&results.request[i]);
	fill_apart(&results.request[ARENA_APART]);
}

static void end(void)
{
	for (size_t i = 0; i < results.nr; i++) {
		free(results.request[i].samples);
		*results.na[i] = 0;
	}
}

TestSuite(bench_miss, .init = begin, .fini = end);

static char *csv(int (*make)(const void *results, struct report **ret_table))
{
	struct report *table;

	cr_assert_eq(make(&results, &table), 0);
	return table_text(table, report_write_csv);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

Test(bench_miss, ratios_are_of_pairs)
{
	char *text = csv(miss_report);

	cr_expect_eq(text_count(text, "\n"), 1u + 2 * 2 * MISS_NR_WHO, "%s", text);
	cr_expect_eq(text_count(text, ",native,1.25,1.25,1.25,"), 4u, "%s", text);
	cr_expect_eq(text_count(text, ",native,2,2,2,"), 4u, "%s", text);
	cr_expect_eq(text_count(text, ",native,1,1,1,"), 4u, "%s", text);
	cr_expect_eq(text_count(text, ",reference,1,1,1,"), 4u, "%s", text);
	cr_expect_eq(text_count(text, ",nested,1,1,1,"), 4u, "%s", text);
	cr_expect_eq(text_count(text, ",shadow,1,1,1,"), 4u, "%s", text);
	free(text);
}

Test(bench_miss, only_what_takes_part)
{
	char *text;

	results.request[ARENA_SMALL].who = results.request[ARENA_HUGE].who =
	    1 << MISS_REFERENCE | 1 << MISS_NATIVE | 1 << MISS_SHADOW;
	text = csv(miss_report);
	cr_expect_eq(text_count(text, "\n"), 1u + 2 * 2 * 3, "%s", text);
	cr_expect_eq(text_count(text, "nested"), 0u, "%s", text);
	free(text);
}

/* A clock that stands still, jumps, or goes back beside the other one is seen; two readings that lie apart a bit are not. */
Test(bench_miss, clocks)
{
	const struct miss_moment from = {1000000, 500};
	static const struct {
		int64_t ticks, us;
		bool agree;
	} cases[] = {
	    {2000000000, 1000000, true},  {2030000000, 1000000, true},  {2000000, 2500, true},
	    {2000000000, 3000000, false}, {9000000000, 1000000, false}, {-500000, 1000000, false},
	    {2000000000, -5, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct miss_moment to = {from.tsc + cases[i].ticks, from.us + cases[i].us};

		cr_expect_eq(miss_clocks_agree(from, to, 2000), cases[i].agree, "case %zu", i);
	}
}

/* The widest of all counts, of whatever size and environment. */
Test(bench_miss, precision)
{
	struct miss_request *q = &results.request[ARENA_SMALL];
	double precision;

	cr_assert_eq(miss_precision(q, TURNS, &precision), 0);
	cr_expect_lt(precision, 1e-9);
	for (int n = 0; n < TURNS; n++)
		q->samples->series[1].ns[MISS_SHADOW][n] *= n % 2 ? 1.1 : 0.9;
	cr_assert_eq(miss_precision(q, TURNS, &precision), 0);
	cr_expect_gt(precision, 0.02);
	q->who &= ~(1u << MISS_SHADOW | 1u << MISS_SHADOW_AGAIN);
	cr_assert_eq(miss_precision(q, TURNS, &precision), 0);
	cr_expect_lt(precision, 1e-9);
}

Test(bench_miss, reason_instead)
{
	char *text;

	strcpy(results.na[ARENA_HUGE], "no huge pages");
	results.request[ARENA_HUGE].samples->turns = 0;
	text = csv(miss_report);
	cr_expect_eq(text_count(text, ",1.25,1.25,1.25,"), 2u, "%s", text);
	free(text);
}

/* What a stride adds is taken turn by turn, too: the drift of 64 ns is in none of them. Cold is compared with cold. */
Test(bench_miss, levels_add_up)
{
	char *text = csv(miss_levels);

	cr_expect_eq(text_count(text, "\n"), 1u + 2 * MISS_NR_WHO * ARENA_NR_STRIDES, "%s", text);
	cr_expect_eq(text_count(text, ",10,10,10,"), 12u, "%s", text);
	cr_expect_eq(text_count(text, ",30,30,30,"), 6u, "%s", text);
	cr_expect_eq(text_count(text, ",40,40,40,"), 6u, "%s", text);
	cr_expect_eq(text_count(text, "\ncold,shadow,"), (size_t)ARENA_NR_STRIDES, "%s", text);
	free(text);
	strcpy(results.na[ARENA_APART], "no memory");
	text = csv(miss_levels);
	cr_expect_eq(text_count(text, ",10,10,10,"), 0u, "%s", text);
	free(text);
}

/* By the kernel's own counters, since the CPU's may be missing: a thread counts what it did, and no other. */
Test(bench_miss, counter)
{
	const int fd = miss_pmu_open(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS);
	uint64_t before, after;
	char *pages;

	if (fd < 0)
		cr_skip_test("perf_event_open: %s", strerror(-fd));
	pages = mmap(NULL, 16 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq((void *)pages, MAP_FAILED);
	madvise(pages, 16 * PAGE_SIZE, MADV_NOHUGEPAGE);
	cr_assert_eq(miss_pmu_read(fd, &before), 0);
	for (int i = 0; i < 16; i++)
		pages[i * PAGE_SIZE] = 1;
	cr_assert_eq(miss_pmu_read(fd, &after), 0);
	cr_expect_geq(after - before, 16u);
	cr_expect_leq(after - before, 32u);
	munmap(pages, 16 * PAGE_SIZE);
	close(fd);
	cr_expect_eq(miss_pmu_read(-1, &after), -EBADF);
	cr_expect_lt(miss_pmu_open(~0u, 0), 0);
}

/* Misses are by all loads that were counted, and n/a with the reason where none were. */
Test(bench_miss, dtlb_misses)
{
	struct miss_samples *s = results.request[ARENA_SMALL].samples;
	struct report *table;
	char *text;

	s->series[0].counted[MISS_NATIVE] = 4000;
	s->series[0].dtlb[MISS_NATIVE] = 3000;
	text = csv(miss_report);
	cr_expect_eq(text_count(text, ",0.75,"), 1u, "%s", text);
	free(text);
	s->pmu_error = EACCES;
	cr_assert_eq(miss_report(&results, &table), 0);
	text = table_text(table, report_print);
	cr_expect(strstr(text, "n/a: no counter of dTLB misses: Permission denied\n"), "%s", text);
	free(text);
}

/* ^C in the middle of a minute and a half of turns: they are worth as much as those of a shorter run. */
Test(bench_miss, interrupted_keeps_turns)
{
	struct miss_samples *s = results.request[ARENA_SMALL].samples, *none = results.request[ARENA_HUGE].samples;
	char *text;

	s->rate = 2000; /* ticks a microsecond: so far these are ticks */
	none->turns = 0;
	results.request[ARENA_APART].samples->scaled = true;
	miss_interrupted(&results);
	miss_interrupted(&results);
	cr_expect_eq(s->series[0].ns[MISS_NATIVE][0], 5);
	cr_expect_str_eq(results.na[ARENA_SMALL], "");
	cr_expect_str_eq(results.na[ARENA_HUGE], "the run was interrupted before");
	text = csv(miss_report);
	cr_expect_eq(text_count(text, ",native,1.25,1.25,1.25,"), 2u, "%s", text);
	free(text);
}

/* What a load costs here, and what an interval says: one that is wide says nothing, though it holds 1. */
Test(bench_miss, findings)
{
	struct miss_series *s = &results.request[ARENA_SMALL].samples->series[1];
	char *text = said_text(miss_find, &results);

	cr_expect(strstr(text,
	                 "In a process of the host a load takes 19.8 ns in 4096 pages of 4k on 4k, and 19.8 ns in 16.\n"
	                 "In nested mode a load in 4096 pages takes 1.250 times as long (95% interval 1.250 to "
	                 "1.250): longer."),
	          "%s", text);
	free(text);
	for (int n = 0; n < TURNS; n++) {
		s->ns[MISS_NESTED][n] = s->ns[MISS_NATIVE][n];
		s->ns[MISS_SHADOW][n] = s->ns[MISS_NATIVE][n] * (n % 2 ? 0.5 : 2);
	}
	text = said_text(miss_find, &results);
	cr_expect(strstr(text, "1.000): no difference.") && strstr(text, ": the interval is too wide to tell."), "%s",
	          text);
	free(text);
}

/* Too few turns say nothing, however alike they are. */
Test(bench_miss, few_turns_tell_nothing)
{
	char *text;

	results.request[ARENA_SMALL].samples->turns = 1;
	text = said_text(miss_find, &results);
	cr_expect_eq(text_count(text, "(fewer than 6 rounds: no 95% interval): too few turns to tell"), 2u, "%s", text);
	free(text);
	text = said_text(miss_explain, &results);
	cr_expect_eq(text_count(text, "1 turns are too few for intervals"), 1u, "%s", text);
	cr_expect_eq(text_count(text, "inf"), 0u, "%s", text);
	free(text);
}

/*
 * Pages that lie apart have an entry of their own at each level below their stride's, no two have one address, and all
 * are addresses that a process can have.
 */
Test(bench_miss, strides)
{
	static const unsigned shift[ARENA_NR_STRIDES] = {12, 21, 30, 30};
	uint64_t seen[ARENA_APART_PAGES];
	bool slots[256] = {false};
	size_t used = 0;

	for (int stride = 0; stride < ARENA_NR_STRIDES; stride++) {
		for (uint64_t i = 0; i < ARENA_APART_PAGES; i++) {
			const uint64_t at = arena_page(stride, i);

			cr_expect(at % PAGE_SIZE == 0 && at >= ARENA_AT && at >> 47 == 0, "%#lx", at);
			seen[i] = at >> shift[stride];
			if (stride == ARENA_512G)
				slots[at >> 39] = true;
		}
		qsort(seen, ARENA_APART_PAGES, sizeof(*seen), compare);
		for (size_t i = 1; i < ARENA_APART_PAGES; i++)
			cr_expect_neq(seen[i - 1], seen[i], "stride %d", stride);
	}
	for (size_t i = 0; i < 256; i++)
		used += slots[i];
	cr_expect_eq(used, ARENA_BLOCKS);
}

static const struct miss_results *chosen(unsigned pages, unsigned backings, size_t nr_sizes)
{
	static struct bench_plan asked;
	static struct miss_results res;

	asked = (struct bench_plan){.mappings = {pages, backings, {4096, 8192}, nr_sizes}};
	res = (struct miss_results){.plan = &asked};
	cr_assert_eq(miss_choose(&res), 0);
	return &res;
}

/* By itself it measures like on like, and strides; what was asked for is measured in all pairs, and nothing else. */
Test(bench_miss, mappings)
{
	char words[MISS_MAPPING_WORDS];
	const struct miss_results *res = chosen(0, 0, 0);

	cr_assert_eq(res->nr, 3u);
	cr_expect_str_eq(miss_mapping_words(&res->request[1], words), "pages of 2m on thp");
	cr_expect_eq(miss_apart(res), 2u);
	res = chosen(0, 0, 2);
	cr_assert_eq(res->nr, 2u);
	cr_expect_eq(res->request[0].nr_rings, 2u);
	cr_expect_eq(res->request[1].ring[1].pages, 8192u);
	cr_expect_eq(miss_apart(res), res->nr);
	res = chosen(1 << BENCH_PAGE_2M | 1 << BENCH_PAGE_1G, 1 << BACKING_4K | 1 << BACKING_HUGETLB1G, 2);
	cr_assert_eq(res->nr, 4u);
	cr_expect_str_eq(miss_mapping_words(&res->request[0], words), "pages of 2m on 4k");
	cr_expect_str_eq(miss_mapping_words(&res->request[3], words), "pages of 1g on hugetlb1g");
	cr_expect_eq(miss_arena_bytes(&res->request[0]), 8192u * PAGE_SIZE);
	cr_expect_eq(miss_arena_bytes(&res->request[3]), PAGE_1G, "a whole page of the pool");
	res = chosen(~0u, ~0u, 1);
	cr_expect_leq(res->nr, (size_t)MISS_MAX_CASES);
}
