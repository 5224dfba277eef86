/* SPDX-License-Identifier: MIT */
/* gnomon bench: measure, print the tables, write them out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/outfile.h"
#include "base/output.h"
#include "base/process.h"
#include "bench/workload/balloon.h"
#include "bench/workload/chase.h"
#include "bench/workload/cost.h"
#include "bench/workload/startup.h"
#include "bench/workload/walks.h"
#include "cmd/bench_options.h"
#include "cmd/cmd.h"
#include "vm/vm.h"

#define MAX_TABLES     6
#define CHILD_SECONDS  300
#define QUICK_ROUNDS   7 /* about 25 s on two slow CPUs */
#define QUICK_SECONDS  45.0
#define FULL_ROUNDS    25
#define STARTUP_ROUNDS 30
#define COST_ROUNDS    11
#define COST_QUICK     5
#define BALLOON_ROUNDS 7
#define WALKS_LOADS    16384 /* four laps of the ring */
#define COST_MEMORY    "128M" /* what the rows of `costs` use */
#define BOTH_GUESTS    (1u << BENCH_NESTED | 1u << BENCH_SHADOW)

struct bench_session {
	const struct bench_options *options;
	struct host_info host;
	struct child_limits limits;
	struct report *table[MAX_TABLES];
	size_t nr_tables;
	FILE *text; /* where people look; NULL when stdout carries data */
	bool measured;
};

static const uint32_t quick_sizes[] = {16, 256, 1024, 8192, 65536};
static const uint32_t full_sizes[] = {16, 64, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536};

/* Takes over a finished table, and prints it. -errno also when nobody can read it: nothing more is measured then. */
static int add_table(struct bench_session *s, struct report *table)
{
	int r;

	BUG_ON(s->nr_tables == MAX_TABLES);
	s->table[s->nr_tables++] = table;
	if (!s->text)
		return 0;
	fputc('\n', s->text);
	r = report_print(table, s->text);
	return r < 0 ? r : output_error();
}

static long chase_loads(const struct bench_options *o)
{
	return o->quick ? 200000 : 1000000;
}

static int bench_chase(struct bench_session *s)
{
	const struct bench_options *o = s->options;
	const bool timed = !bench_times_na(&s->host); /* else one round tells how long the walks are */
	const struct chase_plan plan = {
	    .image = o->image,
	    .where = o->where,
	    .rounds = !timed     ? 1
	              : o->runs  ? o->runs
	              : o->quick ? QUICK_ROUNDS
	                         : FULL_ROUNDS,
	    .seconds = timed && o->quick && !o->runs ? QUICK_SECONDS : 0,
	    .pages = o->quick ? quick_sizes : full_sizes,
	    .nr_sizes =
	        o->quick ? sizeof(quick_sizes) / sizeof(*quick_sizes) : sizeof(full_sizes) / sizeof(*full_sizes),
	    .loads = timed ? chase_loads(o) : 16,
	    .seed = o->seed,
	    .limits = s->limits,
	};
	struct chase_results results;
	struct report *table;
	int r = chase_run(&plan, &s->host, &results);

	if (r == 0)
		r = chase_report(&results, &table);
	if (r == 0)
		r = add_table(s, table);
	if (r == 0)
		r = chase_ratio_report(&results, &table);
	if (r == 0)
		r = add_table(s, table);
	if (r == 0 && s->text) {
		fputc('\n', s->text);
		chase_explain(&results, s->text);
	}
	s->measured |= r == 0 && chase_any(&results);
	chase_results_free(&results);
	return r;
}

static int bench_startup(struct bench_session *s)
{
	const struct bench_options *o = s->options;
	const struct startup_plan plan = {.image = o->image,
	                                  .shortest = o->shortest,
	                                  .rounds = o->runs ? o->runs : STARTUP_ROUNDS,
	                                  .seed = o->seed,
	                                  .limits = s->limits};
	struct startup_results results;
	struct report *table;
	int r = startup_run(&plan, &s->host, &results);

	if (r == 0)
		r = startup_report(&results, &table);
	if (r == 0)
		r = add_table(s, table);
	if (r == 0 && s->text) {
		fputc('\n', s->text);
		startup_explain(&results, s->text);
	}
	s->measured |= r == 0 && startup_any(&results);
	startup_results_free(&results);
	return r;
}

/* What guest/cost measures: the tables come of the same kind of run. */
struct cost_workload {
	const char *name;
	const struct cost_case *cases;
	const size_t *nr_cases;
	const char *memory;
	int rounds, quick_rounds;
	int (*report)(const struct cost_results *res, struct report **ret_table);
	int (*ratio_report)(const struct cost_results *res, struct report **ret_table); /* of both guests; or NULL */
	void (*explain)(const struct cost_results *res, FILE *to);
};

static const struct cost_workload costs_workload = {.name = "costs",
                                                    .cases = cost_cases,
                                                    .nr_cases = &cost_nr_cases,
                                                    .memory = COST_MEMORY,
                                                    .rounds = COST_ROUNDS,
                                                    .quick_rounds = COST_QUICK,
                                                    .report = cost_report,
                                                    .ratio_report = cost_ratio_report,
                                                    .explain = cost_explain};
static const struct cost_workload balloon_workload = {.name = "balloon",
                                                      .cases = balloon_cases,
                                                      .nr_cases = &balloon_nr_cases,
                                                      .memory = BALLOON_GUEST_MEMORY,
                                                      .rounds = BALLOON_ROUNDS,
                                                      .quick_rounds = BALLOON_ROUNDS,
                                                      .report = balloon_report,
                                                      .explain = balloon_explain};

static int bench_cost_workload(struct bench_session *s, const struct cost_workload *w)
{
	const struct bench_options *o = s->options;
	const struct cost_plan plan = {.name = w->name,
	                               .cases = w->cases,
	                               .nr_cases = *w->nr_cases,
	                               .memory = w->memory,
	                               .image = o->cost,
	                               .where = o->where,
	                               .rounds = o->runs    ? o->runs
	                                         : o->quick ? w->quick_rounds
	                                                    : w->rounds,
	                               .seed = o->seed,
	                               .limits = s->limits};
	struct cost_results results;
	struct report *table;
	int r = cost_run(&plan, &s->host, &results);

	if (r == 0)
		r = w->report(&results, &table);
	if (r == 0)
		r = add_table(s, table);
	if (r == 0 && w->ratio_report && (o->where & BOTH_GUESTS) == BOTH_GUESTS) {
		r = w->ratio_report(&results, &table);
		if (r == 0)
			r = add_table(s, table);
	}
	if (r == 0 && s->text) {
		fputc('\n', s->text);
		w->explain(&results, s->text);
	}
	s->measured |= r == 0 && cost_any(&results);
	cost_results_free(&results);
	return r;
}

static int bench_walks(struct bench_session *s)
{
	const struct walks_plan plan = {.image = s->options->cost,
	                                .where = s->options->where,
	                                .quick = s->options->quick,
	                                .loads = s->options->quick ? WALKS_LOADS / 4 : WALKS_LOADS,
	                                .limits = s->limits};
	struct walks_results *results = malloc(sizeof(*results));
	struct report *table;
	int r = results ? walks_run(&plan, &s->host, results) : -ENOMEM;

	if (r == 0)
		r = walks_report(results, &table);
	if (r == 0)
		r = add_table(s, table);
	if (r == 0 && s->text) {
		fputc('\n', s->text);
		walks_explain(results, s->text);
	}
	s->measured |= r == 0 && walks_any(results);
	free(results);
	return r;
}

/* All tables as CSV, or with their environment as JSON. */
static int write_tables(const struct bench_session *s, const struct report_environment *env, bool csv, FILE *to)
{
	int r = 0;

	if (!csv)
		return report_write_json(env, (const struct report *const *)s->table, s->nr_tables, to);
	for (size_t i = 0; r == 0 && i < s->nr_tables; i++) {
		if (i)
			fputc('\n', to);
		r = report_write_csv(s->table[i], to);
	}
	return r;
}

static int write_file(const struct bench_session *s, const struct report_environment *env, bool csv)
{
	const char *path = csv ? s->options->csv : s->options->json;
	char *text = NULL;
	size_t len;
	FILE *to;
	int r;

	if (!path)
		return 0;
	to = bench_is_stdout(path) ? stdout : open_memstream(&text, &len);
	r = to ? write_tables(s, env, csv, to) : -ENOMEM;
	if (to && to != stdout && fclose(to) && r == 0)
		r = -ENOMEM;
	if (r < 0 && r != -EINVAL && !output_error())
		log_errno(-r, "bench");
	else if (r == 0 && to != stdout)
		r = outfile_write(csv ? "--csv" : "--json", path, text, len, s->limits.signal_fd);
	free(text);
	return r;
}

/* All that was asked for. 0 or -errno. */
static int bench(struct bench_session *s)
{
	struct report_environment env;
	int r = host_detect(&s->host, NULL);

	if (r < 0)
		return log_errno(-r, "GNOMON_KVM_DEVICE");
	report_environment_capture(&s->host, &env);
	env.seed = s->options->seed;
	env.loads = chase_loads(s->options);
	if (s->text)
		report_environment_print(&env, s->text);
	if (s->options->workloads & BENCH_CHASE)
		r = bench_chase(s);
	if (r == 0 && s->options->workloads & BENCH_STARTUP)
		r = bench_startup(s);
	if (r == 0 && s->options->workloads & BENCH_COSTS)
		r = bench_cost_workload(s, &costs_workload);
	if (r == 0 && s->options->workloads & BENCH_BALLOON)
		r = bench_cost_workload(s, &balloon_workload);
	if (r == 0 && s->options->workloads & BENCH_WALKS)
		r = bench_walks(s);
	if (r < 0 && r != -EINTR && !output_error())
		log_errno(-r, "bench");
	if (r == 0)
		r = write_file(s, &env, false);
	if (r == 0)
		r = write_file(s, &env, true);
	return r;
}

int cmd_bench(int argc, char **argv)
{
	struct bench_options o = {.seed = 1, .where = 1 << BENCH_NATIVE | 1 << BENCH_NESTED | 1 << BENCH_SHADOW};
	struct bench_session s = {.options = &o, .limits = {.seconds = CHILD_SECONDS}};
	int r = bench_options_parse(argc, argv, &o);

	if (r)
		return r > 0 ? 0 : STATUS_USAGE;
	if (bench_options_check(&o) < 0)
		return STATUS_USAGE;
	s.text = bench_is_stdout(o.json) || bench_is_stdout(o.csv) ? NULL : stdout;
	s.limits.signal_fd = process_catch_end();
	output_give_up_on(s.limits.signal_fd);
	r = s.limits.signal_fd < 0 ? s.limits.signal_fd : bench(&s);
	if (output_error() == -ECANCELED)
		r = -EINTR;
	output_give_up_on(-1);
	for (size_t i = 0; i < s.nr_tables; i++)
		report_free(s.table[i]);
	if (s.limits.signal_fd >= 0)
		close(s.limits.signal_fd);
	if (r == -EINTR)
		return STATUS_INTERRUPTED;
	if (r == 0 && !s.measured)
		log_error("nothing could be measured");
	return r == 0 && s.measured ? 0 : STATUS_HOST_FAILURE;
}
