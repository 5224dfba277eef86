/* SPDX-License-Identifier: MIT */
/*
 * Hashed tables: what a hit costs by theory, within four standard errors that the test computes; and what they say of
 * themselves, against a recount.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/design/catalogue.h"
#include "model/design/memory.h"
#include "model/design/random.h"

#define TABLES 40

static struct model_config config;
static struct model_walk walk;

static struct walker *make(const char *text)
{
	char why[MODEL_WHY_MAX] = "";
	struct walker *w;

	cr_assert_eq(model_design_parse(text, &config, &w, why), 0, "%s: %s", text, why);
	return w;
}

/* Page number i of a series: anywhere in 52 bits. */
static uint64_t page(uint64_t series, uint64_t i)
{
	return model_mix(series << 32 | i) & 0x000ffffffffff000;
}

static void map_pages(struct walker *w, uint64_t series, uint64_t first, uint64_t last)
{
	for (uint64_t i = first; i < last; i++)
		cr_assert_eq(walker_map(w, page(series, i), (i + 1) << 12, 12, PT_RWX), 0, "%s: page %lu", w->name, i);
}

/* The mean cost of a hit: each page once. */
static double hit_cost(const struct walker *w, uint64_t series, uint64_t pages)
{
	double sum = 0;

	for (uint64_t i = 0; i < pages; i++) {
		walker_walk(w, page(series, i) + 5, &walk);
		cr_assert(walk.mapped && walk.pa == ((i + 1) << 12) + 5, "%s: page %lu", w->name, i);
		sum += walk.nr;
	}
	return sum / pages;
}

/* Over several tables: the mean, and its standard error. */
static double mean_cost(const char *text, uint64_t pages, double *ret_error)
{
	double sum = 0, squares = 0;

	for (int t = 0; t < TABLES; t++) {
		struct walker *w = make(text);
		struct model_usage usage;
		double cost;

		map_pages(w, t + 1, 0, pages);
		cost = hit_cost(w, t + 1, pages);
		sum += cost;
		squares += cost * cost;
		walker_usage(w, &usage);
		cr_assert_eq(usage.resizes, 0);
		cr_assert_eq(usage.pages, pages);
		walker_destroy(w);
	}
	*ret_error = sqrt((squares - sum * sum / TABLES) / (TABLES - 1) / TABLES);
	return sum / TABLES;
}

/*
 * Chains: 1 + (n - 1)/(2m), nearly 1 + load/2. Pairs of pages share a chain independently of each other, with
 * probability 1/m, so the variance of the sum of all costs is that of n(n - 1)/2 throws.
 */
static void expect_chain(const char *text, double slots, uint64_t pages, double before)
{
	const double n = pages, pairs = n * (n - 1) / 2;
	const double error = sqrt(pairs / slots * (1 - 1 / slots)) / n / sqrt(TABLES);
	double measured_error;
	const double cost = mean_cost(text, pages, &measured_error);

	cr_expect_lt(fabs(cost - (before + 1 + (n - 1) / (2 * slots))), 4 * error, "%s: %g, error %g", text, cost,
	             error);
	cr_expect_lt(fabs(cost - (before + 1 + n / slots / 2)), 4 * error + 0.5 / slots, "%s: %g", text, cost);
}

/* The cost of a hit in a chain is 1 + load/2; the inverted table reads the anchor before. */
Test(model_design_hashed, chaining_costs_one_and_half_the_load)
{
	config = MODEL_CONFIG_DEFAULT;
	expect_chain("chain:slots=2048,load=8", 2048, 1024, 0);
	expect_chain("chain:slots=2048,load=8", 2048, 2048, 0);
	expect_chain("chain:slots=1024,load=8", 1024, 4096, 0);
	config.data = 2048 << 12;
	expect_chain("inverted", 2048, 2047, 1);
	expect_chain("inverted:load=2", 1024, 2047, 1);
}

/* Knuth's Q0(m, n): a hit in a table of m slots with n + 1 pages costs (1 + Q0)/2, exactly. */
static double knuth_q0(double m, double n)
{
	double sum = 1, term = 1;

	for (double k = 0; k < n && term > 1e-12; k++)
		sum += term *= (n - k) / m;
	return sum;
}

/* Linear probing: half of 1 + 1/(1 - load), to which Knuth's finite sum tends. Clusters of one page cost the same. */
Test(model_design_hashed, linear_probing_costs_what_knuth_says)
{
	static const char *const designs[] = {"linear:slots=2048,load=0.95", "cluster8:slots=2048,load=0.95"};
	static const double loads[] = {0.25, 0.5, 0.75, 0.875};

	config = MODEL_CONFIG_DEFAULT;
	for (int d = 0; d < 2; d++) {
		for (int i = 0; i < 4; i++) {
			const double n = 2048 * loads[i], exact = (1 + knuth_q0(2048, n - 1)) / 2;
			const double limit = (1 + 1 / (1 - loads[i])) / 2;
			double error;
			const double cost = mean_cost(designs[d], n, &error);

			cr_expect_lt(fabs(cost - exact), 4 * error, "%s, load %g: %g, not %g; error %g", designs[d],
			             loads[i], cost, exact, error);
			cr_expect_lt(fabs(cost - limit), 4 * error + fabs(limit - exact), "%s, load %g", designs[d],
			             loads[i]);
		}
	}
}

/* A walk of a cuckoo table reads no more entries than there are ways, in every state of a resize; nothing gets lost. */
Test(model_design_hashed, cuckoo_never_reads_more_than_its_ways)
{
	static const struct {
		const char *text;
		unsigned ways;
	} designs[] = {{"cuckoo2:slots=8", 2}, {"cuckoo3:slots=8", 3}, {"cuckoo3:slots=64,load=0.85", 3}};

	config = MODEL_CONFIG_DEFAULT;
	for (size_t d = 0; d < sizeof(designs) / sizeof(designs[0]); d++) {
		struct walker *w = make(designs[d].text);
		uint64_t seed = d;

		for (uint64_t i = 0; i < 20000; i++) {
			const uint64_t other = model_random_below(&seed, i + 1);

			map_pages(w, 1, i, i + 1);
			walker_walk(w, page(1, other), &walk);
			cr_assert(walk.mapped && walk.pa == (other + 1) << 12, "%s: page %lu of %lu", w->name, other,
			          i);
			cr_assert_leq(walk.nr, designs[d].ways);
			walker_walk(w, page(2, i), &walk);
			cr_assert(!walk.mapped && walk.nr == designs[d].ways, "%s", w->name);
		}
		cr_expect_leq(hit_cost(w, 1, 20000), designs[d].ways);
		walker_destroy(w);
	}
}

/* Mapping a page again replaces it, before and after resizes, and counts as one page. */
Test(model_design_hashed, replacing_keeps_the_others)
{
	static const char *const designs[] = {"radix4",           "chain:slots=8",    "linear:slots=8",
	                                      "cluster8:slots=8", "inverted:load=8",  "cuckoo2:slots=8",
	                                      "cuckoo3:slots=8",  "cluster16:slots=8"};
	const uint64_t pages = 3000;

	config = MODEL_CONFIG_DEFAULT;
	config.data = 64 << 20; /* of the inverted table: 2048 anchors */
	for (size_t d = 0; d < sizeof(designs) / sizeof(designs[0]); d++) {
		struct walker *w = make(designs[d]);
		struct model_usage usage;

		for (uint64_t i = 0; i < pages; i++) {
			cr_assert_eq(walker_map(w, i << 13, (i + 1) << 12, 12, PT_RWX), 0);
			if (i % 3 == 0)
				cr_assert_eq(walker_map(w, i << 13, (i + 2 * pages) << 12, 12, PT_RWX), 0, "%s",
				             w->name);
		}
		for (uint64_t i = 0; i < pages; i++) {
			walker_walk(w, i << 13, &walk);
			cr_assert(walk.mapped, "%s: page %lu", w->name, i);
			cr_assert_eq(walk.pa, (i % 3 ? i + 1 : i + 2 * pages) << 12, "%s: page %lu", w->name, i);
			walker_walk(w, (i << 13) + PAGE_SIZE, &walk);
			cr_assert(!walk.mapped, "%s: beside page %lu", w->name, i);
		}
		walker_usage(w, &usage);
		cr_expect_eq(usage.pages, pages, "%s", w->name);
		cr_expect_eq(usage.inserts, pages + pages / 3, "%s", w->name);
		walker_destroy(w);
	}
}

/* Tables that double say how often, and how many entries moved. */
Test(model_design_hashed, resizes_are_counted)
{
	struct model_usage usage;
	struct walker *w;

	config = MODEL_CONFIG_DEFAULT;
	w = make("chain:slots=8,load=1");
	map_pages(w, 1, 0, 1000);
	walker_usage(w, &usage);
	cr_expect_eq(usage.resizes, 7); /* 8 to 1024 slots */
	cr_expect_eq(usage.moved, 8 + 16 + 32 + 64 + 128 + 256 + 512);
	walker_destroy(w);
	w = make("linear:slots=8,load=0.5");
	map_pages(w, 1, 0, 1000);
	walker_usage(w, &usage);
	cr_expect_eq(usage.resizes, 8); /* 8 to 2048 slots */
	cr_expect_eq(usage.moved, 4 + 8 + 16 + 32 + 64 + 128 + 256 + 512);
	cr_expect_eq(usage.table_bytes, 2048 * 16);
	walker_destroy(w);
	w = make("cuckoo2:slots=8,load=0.45");
	map_pages(w, 1, 0, 1000);
	walker_usage(w, &usage);
	cr_expect_geq(usage.resizes, 8); /* 1000 pages need 2048 slots in each way */
	cr_expect_geq(usage.table_bytes, 2 * 2048 * 16);
	walker_destroy(w);
}

/*
 * Without a resize an insertion reads what a walk to the page would have read before it, and writes the entry: of all
 * pages together, the sum of all hits and one each. In a chain a new entry comes second, and costs a link in place of
 * the read of itself.
 */
Test(model_design_hashed, insertions_cost_what_hits_say)
{
	static const char *const designs[] = {"chain:slots=2048,load=8", "linear:slots=2048,load=0.95"};
	const uint64_t pages = 1900;

	config = MODEL_CONFIG_DEFAULT;
	for (size_t d = 0; d < 2; d++) {
		struct walker *w = make(designs[d]);
		struct model_usage usage;
		unsigned heads = 0;
		uint64_t hits = 0;

		map_pages(w, 1, 0, pages);
		for (uint64_t i = 0; i < pages; i++) {
			walker_walk(w, page(1, i), &walk);
			hits += walk.nr;
			heads += walk.nr == 1;
		}
		walker_usage(w, &usage);
		cr_expect_eq(usage.insert_refs, hits + pages, "%s: %lu", w->name, usage.insert_refs);
		cr_expect_eq(usage.table_bytes, d ? 2048 * 16 : 2048 * 32 + (pages - heads + 126) / 127 * PAGE_SIZE,
		             "%s", w->name);
		walker_destroy(w);
	}
}

static int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* A radix table's bytes are the frames that walks to all pages read; insertions read each level and write a leaf. */
Test(model_design_hashed, radix_usage_is_what_a_recount_finds)
{
	static uint64_t frame[5 * 2000];
	unsigned n = 0, distinct = 0;
	struct model_usage usage;
	struct walker *w;

	config = MODEL_CONFIG_DEFAULT;
	w = make("radix5");
	for (uint64_t i = 0; i < 2000; i++)
		cr_assert_eq(walker_map(w, (i * i) << 14, i << 12, 12, PT_RWX), 0);
	for (uint64_t i = 0; i < 2000; i++) {
		walker_walk(w, (i * i) << 14, &walk);
		for (unsigned j = 0; j < walk.nr; j++)
			frame[n++] = walk.ref[j].address & PAGE_MASK;
	}
	qsort(frame, n, sizeof(frame[0]), by_value);
	for (unsigned i = 0; i < n; i++)
		distinct += !i || frame[i] != frame[i - 1];
	walker_usage(w, &usage);
	cr_expect_eq(usage.pages, 2000);
	cr_expect_eq(usage.table_bytes, distinct * PAGE_SIZE);
	cr_expect_eq(usage.insert_refs, 2000 * (5 + 1) + distinct - 1);
	walker_destroy(w);
}
