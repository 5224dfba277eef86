/* SPDX-License-Identifier: MIT */
#include "bench/workload/walks.h"

#include <errno.h>
#include <string.h>

#include "base/process.h"
#include "bench/workload/turn.h"
#include "bench/workload/walks_counter.h"

#define TRIES 3
#define LOADS 16384 /* four laps of the ring */

/* The arguments of `gnomon run` for a case, in text that the caller keeps. */
struct guest_command {
	char row[32], loads[16];
	const char *argv[16];
};

static void guest_command_init(const struct walks_results *res, const struct walks_case *c, struct guest_command *g)
{
	/* As rows.c of guest/cost has them: walks-4k, walks-2m-holes, ... */
	snprintf(g->row, sizeof(g->row), "walks-%s%s%s", walks_page_name[c->page], c->state ? "-" : "",
	         c->state ? walks_state_name[c->state] : "");
	snprintf(g->loads, sizeof(g->loads), "%u", res->loads);
	memcpy(g->argv,
	       (const char *[]){process_self(), "run", "--paging", bench_environments[c->where].paging, "--memory",
	                        c->backing == BACKING_HUGETLB1G ? "1G" : "128M", "--backing", backing_name(c->backing),
	                        res->plan->file[BENCH_COST], "--", g->row, g->loads, g->loads, "1", NULL},
	       15 * sizeof(*g->argv));
}

static const char *parse_words(int r)
{
	return r == -EINVAL ? "its output is not what was asked for" : "its output is no result";
}

/* Of a process: by the page size alone. */
static void native_model(const struct host_info *host, const struct walks_case *c, struct walks_model *ret_model)
{
	const int refs = bench_native_refs(host, false) - c->page;

	*ret_model = (struct walks_model){.low = refs, .high = refs, .mean_low = refs, .mean_high = refs};
}

/* The case's one child. 0, also when it failed, which leaves its reason; -EINTR. */
static int run_child(struct walks_results *res, const struct turn *turn)
{
	const struct walks_case *c = &res->cases[turn->i];
	struct walks_result *result = &res->result[turn->i];
	const struct walks_native native = {.backing = c->backing, .loads = res->loads};
	struct guest_command g;
	int r;

	if (c->where == BENCH_NATIVE) {
		native_model(res->plan->host, c, &result->model);
		return turn_call(turn, walks_native, &native, &result->na);
	}
	guest_command_init(res, c, &g);
	r = turn_exec(turn, g.argv, &result->na);
	if (r < 0 || *result->na)
		return r;
	r = walks_output_parse(turn->child->out, turn->child->out_len,
	                       &(struct op_request){.row = g.row, .most = res->loads, .ops = res->loads, .blocks = 1},
	                       &result->model);
	if (r < 0)
		reason_set(&result->na, parse_words(r));
	return 0;
}

/* Walks of two dimensions where the second stage is the CPU's, of one elsewhere. */
static void take_counts(struct walks_results *res, size_t i, const struct walk_counts *counts)
{
	const int two = res->cases[i].where != BENCH_NATIVE && !host_stage_is_software(res->plan->host->second_stage);
	struct walks_result *result = &res->result[i];

	result->exits = 0;
	memcpy(result->reads, counts->walks[WALK_WANTED][two], sizeof(result->reads));
	for (int e = 0; e < WALK_NR_EXITS; e++)
		result->exits += counts->exits[e];
}

/* One run and what was counted, if anything counts. -EAGAIN: not it alone, or a mark was lost because it changed CPUs between two. */
static int try_case(struct walks_results *res, const struct turn *turn)
{
	struct walks_result *result = &res->result[turn->i];
	struct walk_counts before, after;
	int r;

	if (res->no_counter)
		return run_child(res, turn);
	walks_counter_read(&before);
	r = run_child(res, turn);
	walks_counter_read(&after);
	if (r < 0 || *result->na)
		return r;
	if (after.running || after.intervals != before.intervals + 1)
		return -EAGAIN;
	take_counts(res, turn->i, &after);
	return walks_counted(result) ? 0 : -EAGAIN;
}

static int take_turn(void *results, const struct turn *turn)
{
	struct walks_results *res = results;
	int r = -EAGAIN;

	for (int n = 0; r == -EAGAIN && n < TRIES; n++)
		r = try_case(res, turn);
	if (r != -EAGAIN)
		return r;
	reason_set(&res->result[turn->i].na, "the counter did not see it, or not it alone");
	return 0;
}

/* Gives the case its reason if it cannot be run. Outside of emulators nothing is: there is no count to judge. */
static void rule_out(struct walks_results *res, size_t i)
{
	const struct host_info *h = res->plan->host;
	const struct walks_case *c = &res->cases[i];
	const char *why = h->emulator == HOST_EMULATOR_NONE ? res->no_counter : NULL;

	if (!why && c->where != BENCH_NATIVE && h->kvm != HOST_KVM_OK)
		why = "there is no KVM (see `gnomon host`)";
	if (!why && c->backing == BACKING_HUGETLB2M && !h->hugetlb_2m.free)
		why = "no free 2 MiB page in the host's pool";
	if (!why && c->backing == BACKING_HUGETLB1G && !h->hugetlb_1g.free)
		why = "no free 1 GiB page in the host's pool";
	reason_set(&res->result[i].na, why ? why : "");
}

static int begin(void *results, const struct bench_plan *plan)
{
	struct walks_results *res = results;

	res->plan = plan;
	res->no_counter = walks_counter_open(plan->host);
	res->loads = plan->quick ? LOADS / 4 : LOADS;
	res->nr_cases = walks_cases(plan->where, plan->quick, res->cases);
	for (size_t i = 0; i < res->nr_cases; i++)
		rule_out(res, i);
	return 0;
}

static size_t nr_cases(const void *results)
{
	const struct walks_results *res = results;

	return res->nr_cases;
}

static bool is_due(const void *results, size_t i)
{
	const struct walks_results *res = results;

	return !*res->result[i].na;
}

static void describe(const void *results, size_t i, char *ret_text, size_t size)
{
	const struct walks_results *res = results;
	const struct walks_case *c = &res->cases[i];

	snprintf(ret_text, size, "%zu of %zu, %s, %s pages on %s, %s", i + 1, res->nr_cases,
	         bench_environments[c->where].name, walks_page_name[c->page], backing_name(c->backing),
	         walks_state_name[c->state]);
}

/* Only an emulated machine runs it, and there one round tells all: neither counts nor the model vary. */
const struct workload walks_workload = {
    .name = "walks",
    .what = "references of each walk: counted in Bochs, the model's in any emulator",
    .needs = 1 << BENCH_COST,
    .rounds = 1,
    .quick_rounds = 1,
    .untimed_rounds = 1,
    .results_size = sizeof(struct walks_results),
    .begin = begin,
    .nr_cases = nr_cases,
    .is_due = is_due,
    .describe = describe,
    .turn = take_turn,
    .any = walks_any,
    .tables = {walks_report},
    .explain = walks_explain,
};
