/* SPDX-License-Identifier: MIT */
#include "bench/workload/walks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/process.h"
#include "bench/workload/walks_counter.h"

#define TRIES 3

/* The arguments of `gnomon run` for a case, in text that the caller keeps. */
struct guest_command {
	char row[32], loads[16];
	const char *argv[16];
};

static void guest_command_init(const struct walks_plan *plan, const struct walks_case *c, struct guest_command *g)
{
	/* As rows.c of guest/cost has them: walks-4k, walks-2m-holes, ... */
	snprintf(g->row, sizeof(g->row), "walks-%s%s%s", walks_page_name[c->page], c->state ? "-" : "",
	         c->state ? walks_state_name[c->state] : "");
	snprintf(g->loads, sizeof(g->loads), "%u", plan->loads);
	memcpy(g->argv,
	       (const char *[]){process_self(), "run", "--paging", bench_environments[c->where].paging, "--memory",
	                        c->backing == BACKING_HUGETLB1G ? "1G" : "128M", "--backing", backing_name(c->backing),
	                        plan->image, "--", g->row, g->loads, g->loads, "1", NULL},
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
static int run_child(struct walks_results *res, size_t i, struct child_result *child)
{
	const struct walks_plan *plan = res->plan;
	const struct walks_case *c = &res->cases[i];
	struct walks_result *result = &res->result[i];
	const struct walks_native native = {.backing = c->backing, .loads = plan->loads};
	struct guest_command g;
	int r;

	guest_command_init(plan, c, &g);
	if (c->where == BENCH_NATIVE)
		r = child_call(walks_native, &native, &plan->limits, child);
	else
		r = child_exec(g.argv, &plan->limits, child);
	if (r == -EINTR)
		return r;
	if (r < 0 || !child_succeeded(child)) {
		child_reason(r, child, result->na, sizeof(result->na));
		return 0;
	}
	if (c->where == BENCH_NATIVE) {
		native_model(res->host, c, &result->model);
		return 0;
	}
	r = walks_output_parse(
	    child->out, child->out_len,
	    &(struct cost_request){.row = g.row, .most = plan->loads, .ops = plan->loads, .blocks = 1}, &result->model);
	if (r < 0)
		snprintf(result->na, sizeof(result->na), "%s", parse_words(r));
	return 0;
}

/* Walks of two dimensions where the second stage is the CPU's, of one elsewhere. */
static void take_counts(struct walks_results *res, size_t i, const struct walk_counts *counts)
{
	const int two = res->cases[i].where != BENCH_NATIVE && !bench_stage_is_software(res->host);
	struct walks_result *result = &res->result[i];

	result->exits = 0;
	memcpy(result->reads, counts->walks[WALK_WANTED][two], sizeof(result->reads));
	for (int e = 0; e < WALK_NR_EXITS; e++)
		result->exits += counts->exits[e];
}

/* One run and what was counted. -EAGAIN: not it alone, or a mark was lost because it changed CPUs between two. */
static int try_case(struct walks_results *res, size_t i, struct child_result *child)
{
	struct walk_counts before, after;
	int r;

	walks_counter_read(&before);
	r = run_child(res, i, child);
	walks_counter_read(&after);
	if (r < 0 || *res->result[i].na)
		return r;
	if (after.running || after.intervals != before.intervals + 1)
		return -EAGAIN;
	take_counts(res, i, &after);
	return walks_counted(&res->result[i]) ? 0 : -EAGAIN;
}

/* 0, also when it failed, which leaves its reason; -EINTR. */
static int run_case(struct walks_results *res, size_t i, struct child_result *child)
{
	const struct walks_case *c = &res->cases[i];
	int r = -EAGAIN;

	log_progress("walks: %zu of %zu, %s, %s pages on %s, %s", i + 1, res->nr_cases,
	             bench_environments[c->where].name, walks_page_name[c->page], backing_name(c->backing),
	             walks_state_name[c->state]);
	for (int n = 0; r == -EAGAIN && n < TRIES; n++)
		r = try_case(res, i, child);
	if (r != -EAGAIN)
		return r;
	snprintf(res->result[i].na, sizeof(res->result[i].na), "the counter did not see it, or not it alone");
	return 0;
}

/* What cannot be counted is told before the first run. */
static void rule_out(struct walks_results *res, const char *no_counter)
{
	const struct host_info *h = res->host;

	for (size_t i = 0; i < res->nr_cases; i++) {
		const struct walks_case *c = &res->cases[i];
		const char *why = no_counter;

		if (!why && c->where != BENCH_NATIVE && h->kvm != HOST_KVM_OK)
			why = "there is no KVM (see `gnomon host`)";
		if (!why && c->backing == BACKING_HUGETLB2M && !h->hugetlb_2m.free)
			why = "no free 2 MiB page in the host's pool";
		if (!why && c->backing == BACKING_HUGETLB1G && !h->hugetlb_1g.free)
			why = "no free 1 GiB page in the host's pool";
		snprintf(res->result[i].na, sizeof(res->result[i].na), "%s", why ? why : "");
	}
}

int walks_run(const struct walks_plan *plan, const struct host_info *host, struct walks_results *ret)
{
	struct child_result *child = malloc(sizeof(*child));
	int r = child ? 0 : -ENOMEM;

	memset(ret, 0, sizeof(*ret));
	ret->plan = plan;
	ret->host = host;
	ret->nr_cases = walks_cases(plan->where, plan->quick, ret->cases);
	rule_out(ret, walks_counter_open(host));
	for (size_t i = 0; r == 0 && i < ret->nr_cases; i++)
		if (!*ret->result[i].na)
			r = run_case(ret, i, child);
	log_progress("%s", "");
	free(child);
	return r;
}
