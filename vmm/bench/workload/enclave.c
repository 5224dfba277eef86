/* SPDX-License-Identifier: MIT */
#include "bench/workload/enclave.h"

#include <errno.h>
#include <string.h>

#include "base/process.h"
#include "bench/stats.h"
#include "bench/touch.h"
#include "bench/workload/turn.h"

#define LOADS   16
#define TOUCHED (820ull << 20) /* the guest's memory, and the enclaves' */

/* The runs that count walks: each depth of the third stage, and what the other mode's own walks are. */
static void plan_runs(struct enclave_results *res, unsigned where)
{
	static const int levels[] = {1, 2, 4};
	const enum bench_where first = where >> BENCH_NESTED & 1 ? BENCH_NESTED : BENCH_SHADOW;

	if (!(where >> first & 1))
		return;
	for (int i = 0; i < 3; i++)
		res->run[res->nr_runs++] = (struct enclave_run){.where = first, .levels = levels[i]};
	if (first == BENCH_NESTED && where >> BENCH_SHADOW & 1)
		res->run[res->nr_runs++] = (struct enclave_run){.where = BENCH_SHADOW, .levels = 2};
}

static int begin(void *results, const struct bench_plan *plan)
{
	struct enclave_results *res = results;

	plan_runs(res, plan->where);
	for (size_t i = 0; i < res->nr_runs; i++)
		reason_without_kvm(&res->run[i].na, plan->host);
	return op_begin(&res->op, plan->quick ? &enclave_quick_set : &enclave_set, plan);
}

/* Behind the cases come the runs that count walks. */
static const struct enclave_run *run_of(const void *results, size_t i)
{
	const struct enclave_results *res = results;
	const size_t nr = op_nr(results);

	return i < nr ? NULL : &res->run[i - nr];
}

static size_t nr_cases(const void *results)
{
	const struct enclave_results *res = results;

	return op_nr(results) + res->nr_runs;
}

static bool is_due(const void *results, size_t i)
{
	const struct enclave_run *run = run_of(results, i);

	return run ? !*run->na : op_is_due(results, i);
}

static size_t group_end(const void *results, size_t first)
{
	return run_of(results, first) ? first + 1 : op_group_end(results, first);
}

static void describe(const void *results, size_t i, char *ret_text, size_t size)
{
	const struct enclave_run *run = run_of(results, i);

	if (run)
		snprintf(ret_text, size, "walks, third stage of %d, %s", run->levels,
		         bench_environments[run->where].name);
	else
		op_describe(results, i, ret_text, size);
}

static int count_walks(const struct enclave_results *res, const struct turn *turn, struct enclave_run *run)
{
	const struct op_set *set = res->op.set;
	const struct op_request q = {.row = "enclave-walks", .most = LOADS, .ops = LOADS, .blocks = 1};
	const char levels[] = {(char)('0' + run->levels), 0};
	const char *const argv[] = {process_self(),
	                            "run",
	                            "--paging",
	                            bench_environments[run->where].paging,
	                            "--memory",
	                            set->memory,
	                            "--enclave-memory",
	                            set->enclave_memory,
	                            "--enclave-levels",
	                            levels,
	                            res->op.plan->file[BENCH_COST],
	                            "--",
	                            q.row,
	                            "16",
	                            "16",
	                            "1",
	                            NULL};
	const int r = turn_exec(turn, argv, &run->na);

	if (r < 0 || *run->na)
		return r;
	if (enclave_output_parse(turn->child->out, turn->child->out_len, &q, &run->counts, &run->outside) < 0)
		reason_set(&run->na, "its output is no result");
	return 0;
}

/* Counts do not vary: walks are counted once. */
static int prepare(void *results, const struct turn *turn)
{
	struct enclave_results *res = results;
	const size_t nr = op_nr(results);

	return turn->i < nr ? op_count(results, turn) : count_walks(res, turn, &res->run[turn->i - nr]);
}

static bool builds(const struct op_case *c)
{
	return strstr(c->row, "-build-") || strstr(c->row, "-rules-");
}

/* A row that builds enclaves is about what Gnomon does, not about where this host's memory is. */
static int take_turn(void *results, const struct turn *turn)
{
	const struct enclave_results *res = results;

	if (run_of(results, turn->i))
		return 0;
	if (builds(op_case_of(&res->op, turn->i)) && res->op.plan->host->memory_available > 2 * TOUCHED)
		bench_touch_memory(TOUCHED);
	return op_turn(results, turn);
}

static bool any(const void *results)
{
	const struct enclave_results *res = results;

	for (size_t i = 0; i < res->nr_runs; i++)
		if (!*res->run[i].na)
			return true;
	return op_any(results);
}

const struct workload enclave_workload = {
    .name = "enclave",
    .what = "what it costs to enter, leave and build enclaves, and how long their page walks are",
    .needs = 1 << BENCH_COST,
    .rounds = STATS_FEWEST,
    .quick_rounds = 3,
    .results_size = sizeof(struct enclave_results),
    .begin = begin,
    .nr_cases = nr_cases,
    .is_due = is_due,
    .group_end = group_end,
    .describe = describe,
    .prepare = prepare,
    .turn = take_turn,
    .finish = op_finish,
    .any = any,
    .tables = {enclave_costs_report, enclave_walks_report},
    .explain = enclave_explain,
    .release = op_release,
};
