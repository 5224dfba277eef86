/* SPDX-License-Identifier: MIT */
/* What the applications read is what was built, wherever they begin; and from samples to the table of `apps`. */
#include <criterion/criterion.h>
#include <errno.h>
#include <gnomon/addr.h>
#include <stdlib.h>
#include <string.h>

#include "../guest/chase_core.h"
#include "bench/workload/apps.h"
#include "bench/workload/apps_build.h"
#include "table_text.h"

#define TURNS 64

/* The smallest, whole levels of the tree and not, and no power of two. */
static const uint64_t sizes[] = {64 << 10, 1 << 20, (5 << 20) + 3 * PAGE_SIZE};
#define NR_SIZES (sizeof(sizes) / sizeof(*sizes))

/* The caller frees it. */
static void *built(enum arena_app app, uint64_t bytes)
{
	void *base = aligned_alloc(PAGE_SIZE, bytes);

	cr_assert(base);
	memset(base, 0xa5, bytes);
	app_build(app, base, bytes, 7);
	return base;
}

/* Every lookup comes to the value of its own key. */
Test(bench_apps, btree_finds_each_key)
{
	for (size_t i = 0; i < NR_SIZES; i++) {
		struct btree_head *head = built(ARENA_BTREE, sizes[i]);
		const uint64_t keys = head->keys;
		uint64_t state = 3, mine = 3;

		cr_expect_gt(keys, sizes[i] / sizeof(struct btree_node) * (BTREE_KEYS - 2),
		             "the memory is full of nodes");
		cr_expect_geq(head->levels, 2u);
		for (int n = 0; n < 100000; n++) {
			const uint64_t key = app_below(chase_random(&mine), keys);
			const uint64_t value = arena_app_run(ARENA_BTREE, head, sizes[i], &state, 1);

			cr_assert_eq(value, key, "%llu bytes, key %llu: %llu", (unsigned long long)sizes[i],
			             (unsigned long long)key, (unsigned long long)value);
		}
		free(head);
	}
}

/* A node has one place. Of two in one slot the second would hide the first from some keys only. */
Test(bench_apps, btree_nodes_lie_apart)
{
	const uint64_t bytes = 1 << 20;
	struct btree_node *node = built(ARENA_BTREE, bytes);
	const uint32_t nodes = bytes / sizeof(*node);
	uint8_t *linked = calloc(nodes, 1);
	uint32_t leaves = 0, near = 0, before = 0;

	cr_assert(linked);
	for (uint32_t i = 1; i < nodes; i++) {
		const bool leaf = node[i].nr == BTREE_KEYS && node[i].child[0] == (uint32_t)node[i].key[0] &&
		                  node[i].child[1] == node[i].child[0] + 1;

		leaves += leaf;
		for (uint32_t c = 0; node[i].nr && !leaf && c <= node[i].nr; c++) {
			cr_assert_lt(node[i].child[c], nodes);
			cr_expect_eq(linked[node[i].child[c]]++, 0, "node %u", node[i].child[c]);
			near += c && node[i].child[c] / 16 == before / 16;
			before = node[i].child[c];
		}
	}
	cr_expect_eq((uint64_t)leaves * BTREE_KEYS, ((struct btree_head *)node)->keys);
	cr_expect_eq(near, 0u, "neighbours share a page");
	free(linked);
	free(node);
}

Test(bench_apps, scan_reads_everything_once)
{
	for (size_t i = 0; i < NR_SIZES; i++) {
		uint64_t *word = built(ARENA_SCAN, sizes[i]), all = 0;

		for (uint64_t w = 0; w < sizes[i] / sizeof(*word); w++)
			all += word[w] * (w / (PAGE_SIZE / sizeof(*word)));
		for (uint64_t from = 1; from < 1 << 20; from = from * 5 + 3) {
			uint64_t state = from;

			cr_expect_eq(arena_app_run(ARENA_SCAN, word, sizes[i], &state, sizes[i] / PAGE_SIZE), all);
			cr_expect_eq(state % (sizes[i] / PAGE_SIZE), from % (sizes[i] / PAGE_SIZE), "back at its page");
		}
		free(word);
	}
}

/* The run's own check that all environments read the same relies on this. */
Test(bench_apps, gups_twice_is_none)
{
	const uint64_t bytes = sizes[2];
	uint64_t *word = built(ARENA_GUPS, bytes), *before = built(ARENA_GUPS, bytes), changed = 0, state = 9, mine = 9;
	uint64_t first, second;

	first = arena_app_run(ARENA_GUPS, word, bytes, &state, 100000);
	for (uint64_t w = 0; w < bytes / sizeof(*word); w++)
		changed += word[w] != before[w];
	cr_expect_gt(changed, 80000u, "updates hit nearly as many words");
	state = mine;
	second = arena_app_run(ARENA_GUPS, word, bytes, &state, 100000);
	cr_expect_neq(first, second);
	cr_expect_arr_eq(word, before, bytes);
	free(word);
	free(before);
}

Test(bench_apps, join_finds_each_tuple)
{
	for (size_t i = 0; i < NR_SIZES; i++) {
		const uint64_t slots = join_slots(sizes[i]);
		struct join_tuple *table = built(ARENA_JOIN, sizes[i]);
		uint64_t state = 5, sum = 0, used = 0;

		for (uint64_t n = 0; n < slots; n++) {
			used += table[n].key != 0;
			cr_assert(table[slots + n].key >= 1 && table[slots + n].key <= slots / 2);
			sum += table[slots + n].key * 3 ^ n;
		}
		cr_expect_eq(used, slots / 2);
		cr_expect_eq(arena_app_run(ARENA_JOIN, table, sizes[i], &state, slots), sum);
		free(table);
	}
}

static struct host_info host;
static struct bench_plan plan;
static struct miss_results results;

static int chosen(bool quick, unsigned pages, unsigned backings, size_t nr_sizes)
{
	plan = (struct bench_plan){
	    .host = &host, .quick = quick, .mappings = {pages, backings, {4096, 8192, 16384, 32768}, nr_sizes}};
	results = (struct miss_results){.plan = &plan};
	return miss_choose_apps(&results);
}

/* Each application in each mapping; what was asked for in all pairs, or nothing where that is too much. */
Test(bench_apps, cases)
{
	char words[MISS_MAPPING_WORDS];

	cr_assert_eq(chosen(false, 0, 0, 0), 0);
	cr_assert_eq(results.nr, 12u);
	cr_expect_eq(results.request[0].app, ARENA_GUPS);
	cr_expect_str_eq(miss_mapping_words(&results.request[1], words), "pages of 4k on thp");
	cr_expect_eq(results.request[11].app, ARENA_JOIN);
	cr_expect_eq(results.request[11].ring[0].pages, 65536u);
	cr_assert_eq(chosen(true, 1 << BENCH_PAGE_2M, 1 << BACKING_THP, 3), 0);
	cr_assert_eq(results.nr, 12u);
	cr_expect_eq(results.request[1].ring[0].pages, 8192u);
	cr_expect_eq(miss_arena_bytes(&results.request[2]), 16384u * PAGE_SIZE);
	cr_assert_eq(chosen(true, ~0u, ~0u, 3), 0);
	cr_expect_eq(results.nr, (size_t)(ARENA_NR_APPS - 1) * BENCH_NR_PAGES * BACKING_NR * 3);
	cr_expect_eq(chosen(true, ~0u, ~0u, 4), -E2BIG);
}

/* Guests take 1.5 and 2 times what the process of their own turn takes, while all drift. */
static void fill(struct miss_request *q)
{
	static const double factor[MISS_NR_WHO] = {0, 1, 1, 1.5, 1.5, 2, 2};

	q->who = 1 << MISS_NATIVE | 1 << MISS_NATIVE_AGAIN | 1 << MISS_NESTED | 1 << MISS_SHADOW;
	q->samples = calloc(1, sizeof(*q->samples));
	cr_assert(q->samples);
	q->samples->turns = TURNS;
	for (int who = 0; who < MISS_NR_WHO; who++) {
		q->samples->series[0].loads[who] = 1000;
		for (int n = 0; n < TURNS; n++)
			q->samples->series[0].ns[who][n] = factor[who] * (10 + 20.0 * n / TURNS);
	}
}

Test(bench_apps, table)
{
	struct report *table;
	char *text;

	cr_assert_eq(chosen(true, 1 << BENCH_PAGE_4K, 1 << BACKING_4K, 0), 0);
	cr_assert_eq(results.nr, 4u);
	for (size_t i = 0; i < results.nr; i++)
		fill(&results.request[i]);
	snprintf(results.na[ARENA_SCAN - 1], sizeof(*results.na), "no time for it");
	cr_assert_eq(apps_report(&results, &table), 0);
	text = table_text(table, report_write_csv);
	cr_expect_eq(text_count(text, "\n"), 1u + 4 * 4, "%s", text);
	cr_expect_eq(text_count(text, ",native,1.5,1.5,1.5,0,"), 3u, "%s", text);
	cr_expect_eq(text_count(text, ",native,2,2,2,0,"), 3u, "%s", text);
	cr_expect_eq(text_count(text, "reference"), 0u, "a loop of loads has no part in it");
	free(text);
	text = said_text(apps_find, &results);
	cr_expect_eq(text_count(text, "\n"), 3u, "%s", text);
	cr_expect(strstr(text,
	                 "btree by a process's time, where it is longest: nested 1.500 (1.500 to 1.500; 16384 pages, "
	                 "4k on 4k), shadow 2.000 (2.000 to 2.000; 16384 pages, 4k on 4k).\n"),
	          "%s", text);
	free(text);
	text = said_text(apps_explain, &results);
	cr_expect(strstr(text, "Of 3 environments compared with themselves, 3 agree."), "%s", text);
	free(text);
	for (size_t i = 0; i < results.nr; i++)
		free(results.request[i].samples);
}
