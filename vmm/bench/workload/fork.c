/* SPDX-License-Identifier: MIT */
#include "bench/workload/fork.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/process.h"
#include "bench/stats.h"
#include "bench/workload/counts.h"
#include "bench/workload/turn.h"

#define NR_SIZES 3
#define NR_MODES 2
#define NR_CASES (NR_SIZES * NR_MODES)
#define COUNTED  2 /* forks of a run whose exits are counted; another such run has half of them */

static const unsigned sizes[NR_SIZES] = {16, 64, 256}; /* MiB; the last one is left out with --quick */
static const enum bench_where modes[NR_MODES] = {BENCH_NESTED, BENCH_SHADOW};
static const char *const way_names[FORK_NR_WAYS] = {[FORK_SHARING] = "share", [FORK_COPYING] = "copy"};

struct fork_results {
	const struct bench_plan *plan;
	double *ms[NR_CASES][FORK_NR_WAYS]; /* by round; ticks, until the run has ended */
	struct fork_sample most[NR_CASES][FORK_NR_WAYS];
	double exits[NR_CASES][FORK_NR_WAYS], shadow_events[NR_CASES][FORK_NR_WAYS]; /* a fork's */
	bench_reason na[NR_CASES];
};

static const struct report_column columns[] = {
    {"environment", "environment", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"memory", "memory", "MiB", 0},
    {"tables_are", "tables", NULL, 0},
    {"fork", "fork", "ms", 3},
    {"fork_ci_low", "95% from", "ms", 3},
    {"fork_ci_high", "to", "ms", 3},
    {"ratio", "of copying", NULL, 4},
    {"ratio_ci_low", "95% from", NULL, 4},
    {"ratio_ci_high", "to", NULL, 4},
    {"made", "tables made", NULL, 0},
    {"copied_tables", "tables copied", NULL, 0},
    {"copied_pages", "pages copied", NULL, 0},
    {"exits", "exits", NULL, 1},
    {"shadow_events", "shadow events", NULL, 1},
    {"noise", "noise", NULL, 0},
    {"n", "n", NULL, 0},
};
static const struct report_layout layout = {"fork", columns, sizeof(columns) / sizeof(*columns), NULL};

static unsigned size_of(size_t i)
{
	return sizes[i / NR_MODES];
}

static enum bench_where where_of(size_t i)
{
	return modes[i % NR_MODES];
}

int fork_output_parse(const char *out, size_t len, unsigned mib, struct fork_sample ret_sample[FORK_NR_WAYS])
{
	char text[512], again[512];
	int used = 0;

	if (len >= sizeof(text) || memchr(out, 0, len))
		return -EINVAL;
	memcpy(text, out, len);
	text[len] = 0;
	for (int way = 0; way < FORK_NR_WAYS; way++) {
		struct fork_sample *s = &ret_sample[way];
		uint64_t ticks;

		if (sscanf(text + used,
		           "fork how=%*[a-z] mib=%*u ticks=%" SCNu64 " tables=%" SCNu64 " copied-tables=%" SCNu64
		           " copied-pages=%" SCNu64,
		           &ticks, &s->tables, &s->copied_tables, &s->copied_pages) != 4)
			return -EINVAL;
		s->ticks = (double)ticks;
		/* What it was read from is what would be printed from it: no sign, no zeroes, no other word. */
		snprintf(again, sizeof(again),
		         "fork how=%s mib=%u ticks=%" PRIu64 " tables=%" PRIu64 " copied-tables=%" PRIu64
		         " copied-pages=%" PRIu64 "\n",
		         way_names[way], mib, ticks, s->tables, s->copied_tables, s->copied_pages);
		if (!ticks || strncmp(text + used, again, strlen(again)) != 0)
			return -EINVAL;
		used += (int)strlen(again);
	}
	return text[used] ? -EINVAL : 0;
}

static void keep(struct fork_results *res, const struct turn *turn, const struct fork_sample *sample)
{
	for (int way = 0; way < FORK_NR_WAYS; way++) {
		struct fork_sample *most = &res->most[turn->i][way];
		const struct fork_sample *s = &sample[way];

		res->ms[turn->i][way][turn->round] = s->ticks;
		most->tables = s->tables > most->tables ? s->tables : most->tables;
		most->copied_tables = s->copied_tables > most->copied_tables ? s->copied_tables : most->copied_tables;
		most->copied_pages = s->copied_pages > most->copied_pages ? s->copied_pages : most->copied_pages;
	}
}

/* `gnomon run` of the guest. */
struct command {
	char memory[16], mib[16], forks[24];
	const char *argv[16];
};

/* forks: of each kind, counted into `stats`; 0: what the guest does by itself, and nothing is counted. */
static void command_init(const struct fork_results *res, size_t i, const char *way, int forks, const char *stats,
                         struct command *c)
{
	const char *const paging = bench_environments[where_of(i)].paging;
	const char *const kernel = res->plan->file[BENCH_KERNEL];
	const char *const plain[] = {process_self(), "run", "--paging", paging, "--memory", c->memory,
	                             kernel,         "--",  "fork",     way,    c->mib,     NULL};
	const char *const counted[] = {process_self(), "run",     "--paging", paging, "--memory",
	                               c->memory,      "--stats", stats,      kernel, "--",
	                               "fork",         way,       c->forks,   c->mib, NULL};

	snprintf(c->memory, sizeof(c->memory), "%uM", size_of(i) + 64);
	snprintf(c->mib, sizeof(c->mib), "%u", size_of(i));
	snprintf(c->forks, sizeof(c->forks), "forks=%d", forks);
	memcpy(c->argv, forks ? counted : plain, forks ? sizeof(counted) : sizeof(plain));
}

static int take_turn(void *results, const struct turn *turn)
{
	struct fork_results *res = results;
	struct fork_sample sample[FORK_NR_WAYS];
	bench_reason *na = &res->na[turn->i];
	struct command command;
	int r;

	command_init(res, turn->i, "both", 0, NULL, &command);
	r = turn_exec(turn, command.argv, na);
	if (r < 0 || **na)
		return r;
	if (fork_output_parse(turn->child->out, turn->child->out_len, size_of(turn->i), sample) < 0)
		reason_set(na, "its output is no result");
	else
		keep(res, turn, sample);
	return 0;
}

/* Counters of a run with so many forks. 0 or -EINTR; what else fails leaves its reason. */
static int count_run(struct fork_results *res, const struct turn *turn, int way, int forks, struct counts *ret_counts)
{
	bench_reason *na = &res->na[turn->i];
	struct counts_file file;
	struct command command;
	int r;

	if (!counts_begin(&file, na))
		return 0;
	command_init(res, turn->i, way_names[way], forks, file.path, &command);
	r = turn_exec(turn, command.argv, na);
	return counts_end(&file, r, na, ret_counts);
}

/* What a fork adds to the counters: the difference of two runs that differ in forks alone. */
static int count(void *results, const struct turn *turn)
{
	struct fork_results *res = results;
	const size_t i = turn->i;
	struct counts half, full, d;
	int r = 0;

	for (int way = 0; way < FORK_NR_WAYS; way++) {
		r = count_run(res, turn, way, COUNTED / 2, &half);
		if (r == 0 && !*res->na[i])
			r = count_run(res, turn, way, COUNTED, &full);
		if (r < 0 || *res->na[i])
			return r;
		d = counts_between(&half, &full);
		res->exits[i][way] = (double)(int64_t)d.exits / (COUNTED - COUNTED / 2);
		res->shadow_events[i][way] = (double)(int64_t)d.shadow_events / (COUNTED - COUNTED / 2);
	}
	return 0;
}

static int begin(void *results, const struct bench_plan *plan)
{
	struct fork_results *res = results;
	int r = 0;

	res->plan = plan;
	for (size_t i = 0; r == 0 && i < NR_CASES; i++) {
		reason_without_kvm(&res->na[i], plan->host);
		r = series_pair(plan->rounds, &res->ms[i][FORK_SHARING], &res->ms[i][FORK_COPYING]);
	}
	return r;
}

static size_t nr_cases(const void *results)
{
	const struct fork_results *res = results;

	return res->plan->quick ? NR_CASES - NR_MODES : NR_CASES;
}

static bool is_due(const void *results, size_t i)
{
	const struct fork_results *res = results;

	return res->plan->where >> where_of(i) & 1 && !*res->na[i];
}

static void describe(const void *results, size_t i, char *ret_text, size_t size)
{
	snprintf(ret_text, size, "%s, %u MiB", bench_environments[where_of(i)].name, size_of(i));
}

static void finish(void *results, const struct bench_run *run)
{
	struct fork_results *res = results;

	for (size_t i = 0; i < NR_CASES; i++)
		series_scale(res->ms[i][FORK_SHARING], res->ms[i][FORK_COPYING], res->plan->rounds,
		             1 / (run->tsc_mhz * 1000));
}

static bool any(const void *results)
{
	for (size_t i = 0; i < nr_cases(results); i++)
		if (is_due(results, i))
			return true;
	return false;
}

static int set_times(struct report *t, const struct fork_results *res, size_t i, int way)
{
	const double *const copying = res->ms[i][FORK_COPYING], *const ms = res->ms[i][way];
	const int n = res->plan->rounds;
	struct stats_summary fork;
	struct stats_ratio ratio;
	int r = stats_summarise(ms, n, STATS_SEED, &fork);

	if (r == 0 && way != FORK_COPYING)
		r = stats_paired_ratio(ms, copying, n, STATS_SEED, &ratio);
	if (r < 0)
		return r;
	report_set_number(t, "fork", fork.median);
	report_set_interval(t, "fork", fork.ci_low, fork.ci_high);
	turn_set_noise(t, &fork, 0, NAN);
	report_set_number(t, "n", n);
	if (way != FORK_COPYING)
		report_set_ratio(t, "ratio", &ratio);
	report_set_rest_na(t, "the row above is compared with this one");
	return 0;
}

/* A row for each case and way. */
static int add_row(struct report *t, const void *results, size_t row)
{
	const struct fork_results *res = results;
	const size_t i = row / FORK_NR_WAYS, way = row % FORK_NR_WAYS;

	if (!(res->plan->where >> where_of(i) & 1))
		return 0;
	report_row(t);
	report_set_text(t, "environment", bench_environments[where_of(i)].name);
	report_set_text(t, "second_stage", host_second_stage_label(res->plan->host));
	report_set_number(t, "memory", size_of(i));
	report_set_text(t, "tables_are", way == FORK_SHARING ? "shared" : "copied");
	if (*res->na[i]) {
		report_set_rest_na(t, res->na[i]);
		return 0;
	}
	report_set_number(t, "made", (double)res->most[i][way].tables);
	report_set_number(t, "copied_tables", (double)res->most[i][way].copied_tables);
	report_set_number(t, "copied_pages", (double)res->most[i][way].copied_pages);
	counts_set(t, where_of(i) == BENCH_SHADOW, res->exits[i][way], res->shadow_events[i][way], NULL);
	if (bench_times_na(res->plan->host)) {
		report_set_rest_na(t, bench_times_na(res->plan->host));
		return 0;
	}
	return set_times(t, res, i, (int)way);
}

static int report(const void *results, struct report **ret_table)
{
	return report_build(&layout, results, nr_cases(results) * FORK_NR_WAYS, add_row, ret_table);
}

static void explain(const void *results, FILE *to)
{
	fputs("Each run forks three times in each way and tells the shortest. A fork that shares copies the root "
	      "alone: its\n"
	      "time does not depend on the memory. Copied are the tables and pages that the writes of both processes "
	      "need, 8\n"
	      "pages of the child's, and with copying the tables of the fork: docs/sharing.md. Exits and shadow events "
	      "are "
	      "a\n"
	      "fork's, with the child that reads nothing and ends, and what its parent reads before and afterwards.\n",
	      to);
	if (host_stage_is_software(((const struct fork_results *)results)->plan->host->second_stage))
		fputs("Where KVM emulates guest CPL 0 or composes tables itself, a copying fork of the nested guest "
		      "pays for each\n"
		      "of its kernel's instructions or stores: its ratio says little about other hosts.\n",
		      to);
}

static void release(void *results)
{
	struct fork_results *res = results;

	for (size_t i = 0; i < NR_CASES; i++)
		free(res->ms[i][FORK_SHARING]);
}

const struct workload fork_workload = {
    .name = "fork",
    .what = "fork of a guest's process that shares its page tables or copies them",
    .needs = 1 << BENCH_KERNEL,
    .rounds = STATS_FEWEST,
    .quick_rounds = 3,
    .untimed_rounds = 1,
    .results_size = sizeof(struct fork_results),
    .begin = begin,
    .nr_cases = nr_cases,
    .is_due = is_due,
    .describe = describe,
    .prepare = count,
    .turn = take_turn,
    .finish = finish,
    .any = any,
    .tables = {report},
    .explain = explain,
    .release = release,
};
