/* SPDX-License-Identifier: MIT */
/* gnomon bench: measure, print the tables, write them out. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/outfile.h"
#include "base/output.h"
#include "base/process.h"
#include "bench/balloon.h"
#include "bench/chase.h"
#include "bench/cost.h"
#include "bench/startup.h"
#include "cmd/args.h"
#include "cmd/cmd.h"
#include "cmd/files.h"
#include "cmd/options.h"
#include "kvm/vm.h"

#define MAX_TABLES     6
#define MAX_RUNS       1000
#define MAX_SEED       1000000000
#define CHILD_SECONDS  300
#define QUICK_ROUNDS   7 /* about 25 s on two slow CPUs */
#define QUICK_SECONDS  45.0
#define FULL_ROUNDS    25
#define STARTUP_ROUNDS 30
#define COST_ROUNDS    11
#define COST_QUICK     5
#define BALLOON_ROUNDS 7
#define COST_MEMORY    "128M" /* what the rows of `costs` use */
#define BOTH_GUESTS    (1u << BENCH_NESTED | 1u << BENCH_SHADOW)

enum bench_workload { BENCH_CHASE = 1 << 0, BENCH_STARTUP = 1 << 1, BENCH_COSTS = 1 << 2, BENCH_BALLOON = 1 << 3 };

struct bench_options {
	bool quick;
	const char *json, *csv;
	char image[PATH_MAX], shortest[PATH_MAX], cost[PATH_MAX];
	long runs, seed; /* runs 0: each workload's own */
	unsigned workloads, where;
};

struct bench_session {
	const struct bench_options *options;
	struct host_info host;
	struct child_limits limits;
	struct report *table[MAX_TABLES];
	size_t nr_tables;
	FILE *text; /* where people look; NULL when stdout carries data */
	bool measured;
};

static const char help[] =
    "Usage: gnomon bench [OPTION...]\n"
    "Measures what a TLB miss costs, as a process of the host and in a guest, run by run in turn; how long a guest\n"
    "takes to start; what the events of nested and of shadow paging cost: faults, CR3 loads, writes to page tables;\n"
    "and what it costs to take memory from a guest and to give it back. Tables on stdout, progress on stderr when\n"
    "that is a terminal.\n"
    "\n"
    "  --quick          less than a minute: fewer sizes and rounds, only the chase. On a busy host even fewer, but\n"
    "                   6 rounds of all but the largest size; what was left out is said\n"
    "  --only WORKLOAD  chase, startup, costs or balloon\n"
    "  --paging LIST    guests to compare with the process: nested, shadow, or both (default)\n"
    "  --runs N         rounds, 1 to 1000; with --quick, too, however long they take\n"
    "  --seed S         order of runs and rings, 0 to 1000000000 (default 1)\n"
    "  --image KERNEL   guest kernel (default: the kernel.elf that comes with Gnomon)\n"
    "  --json FILE      all tables and the environment as JSON; - is stdout, instead of the text\n"
    "  --csv FILE       all tables as CSV, an empty line between two; - is stdout, instead of the text\n"
    "  --help\n"
    "\n"
    "Exit status: 0 something was measured (what was not is n/a, with its reason); 1 nothing was, or the host\n"
    "failed; 2 usage; 130 interrupted.\n";

static const uint32_t quick_sizes[] = {16, 256, 1024, 8192, 65536};
static const uint32_t full_sizes[] = {16, 64, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536};

static int parse_paging(const char *arg, unsigned *ret_where)
{
	const size_t len = strlen(arg);
	unsigned where = 1 << BENCH_NATIVE;

	for (const char *p = arg; p <= arg + len; p += strcspn(p, ",") + 1) {
		const size_t word = strcspn(p, ",");
		unsigned found = 0;

		for (int w = 0; w < BENCH_NR_WHERE; w++) {
			const char *name = bench_environments[w].paging;

			if (name && strlen(name) == word && memcmp(p, name, word) == 0)
				found = 1u << w;
		}
		if (!found) {
			log_error("--paging: '%s' is not a list of paging modes (nested, shadow)", arg);
			return -EINVAL;
		}
		where |= found;
	}
	*ret_where = where;
	return 0;
}

static int parse_workload(const char *arg, unsigned *ret_workloads)
{
	if (strcmp(arg, "chase") == 0)
		*ret_workloads = BENCH_CHASE;
	else if (strcmp(arg, "startup") == 0)
		*ret_workloads = BENCH_STARTUP;
	else if (strcmp(arg, "costs") == 0)
		*ret_workloads = BENCH_COSTS;
	else if (strcmp(arg, "balloon") == 0)
		*ret_workloads = BENCH_BALLOON;
	else {
		log_error("--only: '%s' is not a workload (chase, startup, costs, balloon)", arg);
		return -EINVAL;
	}
	return 0;
}

/* 0: go on; otherwise -EINVAL, said. */
static int parse_option(int opt, const char *arg, struct bench_options *o)
{
	switch (opt) {
	case 'q':
		o->quick = true;
		return 0;
	case 'j':
		o->json = arg;
		return 0;
	case 'c':
		o->csv = arg;
		return 0;
	case 'i':
		return image_file(arg, o->image);
	case 'r':
		return parse_count("--runs", arg, 1, MAX_RUNS, &o->runs);
	case 's':
		return parse_count("--seed", arg, 0, MAX_SEED, &o->seed);
	case 'o':
		return parse_workload(arg, &o->workloads);
	case 'p':
		return parse_paging(arg, &o->where);
	default:
		return -EINVAL; /* option_next() logged it */
	}
}

/* 0: go on; 1: help was shown; -EINVAL: said. */
static int parse_options(int argc, char **argv, struct bench_options *o)
{
	static const struct option options[] = {
	    {"quick", no_argument, NULL, 'q'},      {"json", required_argument, NULL, 'j'},
	    {"csv", required_argument, NULL, 'c'},  {"image", required_argument, NULL, 'i'},
	    {"runs", required_argument, NULL, 'r'}, {"seed", required_argument, NULL, 's'},
	    {"only", required_argument, NULL, 'o'}, {"paging", required_argument, NULL, 'p'},
	    {"help", no_argument, NULL, 'h'},       {0},
	};
	int opt;

	while ((opt = option_next(argc, argv, options, false)) != OPTION_END) {
		if (opt == OPTION_HELP) {
			fputs(help, stdout);
			return 1;
		}
		if (parse_option(opt, optarg, o) < 0)
			return -EINVAL;
	}
	if (optind < argc) {
		log_error("bench: '%s' is one word too many (try `gnomon bench --help`)", argv[optind]);
		return -EINVAL;
	}
	if (o->json && o->csv && strcmp(o->json, "-") == 0 && strcmp(o->csv, "-") == 0) {
		log_error("--json and --csv cannot both go to stdout");
		return -EINVAL;
	}
	if (!o->workloads)
		o->workloads = o->quick ? BENCH_CHASE : BENCH_CHASE | BENCH_STARTUP | BENCH_COSTS | BENCH_BALLOON;
	return 0;
}

static bool is_stdout(const char *path)
{
	return path && strcmp(path, "-") == 0;
}

/* Before minutes are spent. -errno, logged. */
static int check_outputs(const struct bench_options *o)
{
	int r = 0;

	if (o->json && o->csv && !is_stdout(o->json) && !is_stdout(o->csv) && outfile_same(o->json, o->csv)) {
		log_error("--json and --csv cannot both go to %s", o->csv);
		return -EINVAL;
	}
	if (o->json && !is_stdout(o->json))
		r = outfile_check("--json", o->json);
	if (r == 0 && o->csv && !is_stdout(o->csv))
		r = outfile_check("--csv", o->csv);
	return r;
}

/* What can be known to fail is told before anything is measured. */
static int check_options(struct bench_options *o)
{
	int r = 0;

	if (!*o->image)
		r = own_file(FILES_KERNEL, o->image);
	if (r == 0)
		r = own_file(FILES_SHORTEST, o->shortest);
	if (r == 0)
		r = own_file(FILES_COST, o->cost);
	if (r < 0)
		return r;
	if (access(o->image, R_OK) < 0)
		return log_errno(errno, "guest image %s (see --image)", o->image);
	return check_outputs(o);
}

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
	to = is_stdout(path) ? stdout : open_memstream(&text, &len);
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
	int r = parse_options(argc, argv, &o);

	if (r)
		return r > 0 ? 0 : STATUS_USAGE;
	if (check_options(&o) < 0)
		return STATUS_USAGE;
	s.text = is_stdout(o.json) || is_stdout(o.csv) ? NULL : stdout;
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
