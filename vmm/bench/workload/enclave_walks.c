/* SPDX-License-Identifier: MIT */
/* The table of walks: counted references beside the model's, by the third stage's depth and the check cache's size. */
#include <errno.h>

#include "bench/workload/enclave.h"
#include "enclave/stage.h"
#include "model/walk.h"

#define FRAMES 65536ull /* 256 MiB of secure memory */
#define LEVELS 4        /* of stage 1 and of the second stage */

static const struct report_column columns[] = {
    {"walk", "walk", NULL, 0},
    {"levels", "third stage", NULL, 0},
    {"second", "second stage", NULL, 0},
    {"check", "checked", NULL, 0},
    {"pages", "pages", NULL, 0},
    {"model", "model", NULL, 0},
    {"refs", "refs", NULL, REPORT_RANGE},
    {"cache_16", "cache of 16", NULL, 2},
    {"cache_64", "of 64", NULL, 2},
    {"cache_256", "of 256", NULL, 2},
    {"hits_64", "hits of 64", "percent", 1},
    {"overhead", "tables", "percent", 3},
};
static const struct report_layout layout = {"enclave-walks", columns, sizeof(columns) / sizeof(*columns), NULL};

static const char *const second_words[ENCLAVE_NR_WALKS] = {
    [ENCLAVE_WALK_COMPOSED] = "none, or composed", [ENCLAVE_WALK_ONCE] = "4 levels", [ENCLAVE_WALK_EVERY] = "4 levels"};
static const char *const check_words[ENCLAVE_NR_WALKS] = {
    [ENCLAVE_WALK_COMPOSED] = "once, every", [ENCLAVE_WALK_ONCE] = "once", [ENCLAVE_WALK_EVERY] = "every"};

int enclave_overhead(int levels, double *ret_part)
{
	struct enclave_stage s3;
	int r = enclave_stage_init(&s3, FRAMES, levels);

	if (r < 0)
		return r;
	for (uint64_t n = 0; r == 0 && n < FRAMES; n++)
		r = enclave_stage_assign(&s3, maddr_init(n * PAGE_SIZE), 1, &(struct enclave_frame){.owner = 1});
	if (r == 0)
		*ret_part = (double)enclave_stage_bytes(&s3) / (FRAMES * PAGE_SIZE);
	enclave_stage_destroy(&s3);
	return r;
}

static unsigned model(enum enclave_walk walk, int levels)
{
	switch (walk) {
	case ENCLAVE_WALK_ONCE:
		return walk_refs_3d_once(LEVELS, LEVELS, levels);
	case ENCLAVE_WALK_EVERY:
		return walk_refs_3d_every(LEVELS, LEVELS, levels);
	default:
		return walk_refs_1d(LEVELS) + (LEVELS + 1) * levels;
	}
}

static double mean(const struct enclave_count *c)
{
	return (double)c->sum / c->pages;
}

static int add_enclave(struct report *t, const struct enclave_run *run, enum enclave_walk walk, int sweep)
{
	const struct enclave_count *c = run->counts.of[walk][sweep];
	double part;
	int r;

	report_row(t);
	report_set_text(t, "walk", "enclave");
	report_set_number(t, "levels", run->levels);
	report_set_text(t, "second", second_words[walk]);
	report_set_text(t, "check", check_words[walk]);
	report_set_number(t, "model", model(walk, run->levels));
	r = enclave_overhead(run->levels, &part);
	if (r < 0)
		return r;
	report_set_number(t, "overhead", 100 * part);
	if (*run->na) {
		report_set_rest_na(t, run->na);
		return 0;
	}
	report_set_number(t, "pages", c->pages);
	report_set_range(t, "refs", c[0].low, c[0].high);
	report_set_number(t, "cache_16", mean(&c[1]));
	report_set_number(t, "cache_64", mean(&c[2]));
	report_set_number(t, "cache_256", mean(&c[3]));
	report_set_number(t, "hits_64", 100.0 * c[2].hits / c[2].checks);
	return 0;
}

/* Walks without a third stage: a process's by its page size alone, a guest's from its own tables. */
static void add_plain(struct report *t, const struct enclave_results *res, enum bench_where where,
                      const struct enclave_run *run)
{
	const struct host_info *host = res->op.plan->host;
	const bool composed = where == BENCH_NATIVE || host_stage_is_software(host->second_stage);
	const int native = bench_native_refs(host, false);

	report_row(t);
	report_set_text(t, "walk", bench_environments[where].name);
	report_set_text(t, "second", composed ? "none, or composed" : host_second_stage_label(host));
	report_set_text(t, "check", "-");
	report_set_number(t, "model", composed ? native : (int)walk_refs_2d(LEVELS, native));
	report_set_na(t, "levels", "no third stage checks this walk");
	if (where == BENCH_NATIVE)
		report_set_range(t, "refs", native, native);
	else if (*run->na)
		report_set_na(t, "refs", run->na);
	else if (run->outside.low)
		report_set_range(t, "refs", run->outside.low, run->outside.high);
	else
		report_set_na(t, "refs", "the guest was not told: the second stage is not known");
	report_set_rest_na(t, "no third stage checks this walk");
}

/* Entry 0 is a process, then those of each run: the guest's own walks, and its enclave's if the depth is new. */
static int add_rows(struct report *t, const void *results, size_t i)
{
	const struct enclave_results *res = results;
	const struct enclave_run *run;
	bool known_mode = false, known_depth = false;
	int r = 0;

	if (i == 0) {
		add_plain(t, res, BENCH_NATIVE, NULL);
		return 0;
	}
	run = &res->run[i - 1];
	for (size_t n = 0; n < i - 1; n++) {
		known_mode |= res->run[n].where == run->where;
		known_depth |= res->run[n].levels == run->levels;
	}
	if (!known_mode)
		add_plain(t, res, run->where, run);
	for (int n = 0; !known_depth && r == 0 && n < ENCLAVE_NR_WALKS * ENCLAVE_NR_SWEEPS; n++)
		r = add_enclave(t, run, n / ENCLAVE_NR_SWEEPS, n % ENCLAVE_NR_SWEEPS);
	return r;
}

int enclave_walks_report(const void *results, struct report **ret_table)
{
	const struct enclave_results *res = results;

	if (!res->nr_runs)
		return 0;
	return report_build(&layout, results, 1 + res->nr_runs, add_rows, ret_table);
}
