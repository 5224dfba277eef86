/* SPDX-License-Identifier: MIT */
#include "bench/runner.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../guest/chase_core.h"
#include "bench/child_parts.h"

#define CASE_WORDS 128 /* characters */

struct runner {
	const struct workload *w;
	struct bench_plan *plan; /* `rounds` is what was done, in the end */
	void *results;
	struct child_result *child;
	struct bench_run run;
	uint64_t random;
	double group_seconds; /* 0: no limit */
	bool cut; /* interrupted, and what was done is reported */
};

struct bench_plan runner_plan(const struct workload *w, const struct bench_plan *asked)
{
	struct bench_plan plan = *asked;
	const bool timed = !bench_times_na(asked->host);

	plan.seconds = timed && plan.quick && !plan.rounds ? w->quick_seconds : 0;
	if (!timed)
		plan.rounds = w->untimed_rounds;
	else if (!plan.rounds)
		plan.rounds = plan.quick ? w->quick_rounds : w->rounds;
	return plan;
}

/* What is under way. */
static void show(const struct runner *run, const struct turn *turn, bool prepares)
{
	char words[CASE_WORDS];

	if (!log_progress_wanted())
		return;
	run->w->describe(run->results, turn->i, words, sizeof(words));
	if (prepares)
		log_progress("%s: before the first round, %s", run->w->name, words);
	else
		log_progress("%s: round %d of %d, %s", run->w->name, turn->round + 1, run->plan->rounds, words);
}

/* The cases from `first` to before `end` in a random order: none always comes first. */
static void shuffle(size_t first, size_t end, uint64_t *random, size_t *ret_order)
{
	size_t n = 0;

	for (size_t i = first; i < end; i++) {
		const size_t at = chase_random(random) % (n + 1);

		ret_order[n++] = ret_order[at];
		ret_order[at] = i;
	}
}

static size_t group_end(const struct runner *run, size_t first)
{
	return run->w->group_end ? run->w->group_end(run->results, first) : first + 1;
}

/* One turn for each case of a group. */
static int run_group(struct runner *run, struct turn *turn, size_t first, size_t end)
{
	size_t order[WORKLOAD_MAX_CASES] = {0};
	int r = 0;

	shuffle(first, end, &run->random, order);
	for (size_t n = 0; r == 0 && n < end - first; n++) {
		turn->i = order[n];
		if (!run->w->is_due(run->results, turn->i))
			continue;
		show(run, turn, false);
		r = run->w->turn(run->results, turn);
	}
	return r;
}

/* One turn for each case of these parts of a round. 0: the round counts; -ETIMEDOUT: it was cut short. */
static int run_round(struct runner *run, struct turn *turn)
{
	const size_t nr = run->w->nr_cases(run->results);
	size_t end;
	int r = 0;

	for (size_t first = 0; r == 0 && first < nr; first = end) {
		end = group_end(run, first);
		r = run_group(run, turn, first, end);
	}
	for (int part = 0; r == 0 && part < BOUND_NR_PARTS; part++)
		run->run.done[part] += turn->parts >> part & 1;
	return r;
}

/* As many rounds as are wanted. */
static int run_rounds(struct runner *run)
{
	int r = 0;

	for (int round = 0; r == 0 && round < run->plan->rounds; round++) {
		struct turn turn = {
		    .round = round, .parts = TURN_ALL, .limits = run->plan->limits, .child = run->child};

		r = run_round(run, &turn);
	}
	return r;
}

/* As many rounds as there is time for. */
static int run_bounded(struct runner *run)
{
	struct bound bound = {.seconds = run->plan->seconds,
	                      .rounds = run->plan->rounds,
	                      .fewest = {run->w->fewest[BOUND_SMALL], run->w->fewest[BOUND_LARGEST]}};
	const double began = child_clock_ms();
	double start, limit;
	int part, r = 0;

	while ((r == 0 || r == -ETIMEDOUT) &&
	       (part = bound_next(&bound, ((start = child_clock_ms()) - began) / 1e3, &limit)) >= 0) {
		struct turn turn = {.round = run->run.done[part],
		                    .parts = 1u << part,
		                    .limits = run->plan->limits,
		                    .child = run->child};

		if (limit > 0 && limit < turn.limits.seconds) {
			turn.limits.seconds = (int)limit + 1;
			turn.cut_short = turn.limits.seconds < run->plan->limits.seconds;
		}
		r = run_round(run, &turn);
		bound_took(&bound, part, (child_clock_ms() - start) / 1e3, r == 0);
	}
	return r == -ETIMEDOUT ? 0 : r;
}

static int prepare_cases(struct runner *run, size_t first, size_t end)
{
	struct turn turn = {.i = first, .parts = TURN_ALL, .limits = run->plan->limits, .child = run->child};
	int r = 0;

	for (; run->w->prepare && r == 0 && turn.i < end; turn.i++) {
		if (!run->w->is_due(run->results, turn.i))
			continue;
		show(run, &turn, true);
		r = run->w->prepare(run->results, &turn);
	}
	return r;
}

static bool any_due(const struct runner *run, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++)
		if (run->w->is_due(run->results, i))
			return true;
	return false;
}

/* All that the cases of a group need. */
static int finish_group(struct runner *run, size_t first, size_t end)
{
	int r = prepare_cases(run, first, end);

	for (int round = 0; r == 0 && round < run->plan->rounds; round++) {
		struct turn turn = {
		    .round = round, .parts = TURN_ALL, .limits = run->plan->limits, .child = run->child};

		r = run_group(run, &turn, first, end);
	}
	return r;
}

/*
 * As many groups as there is time for, each with all of its rounds: on a busy host there are fewer rows, and not rows
 * that say less. The first is done however long it takes. What a signal cuts short is left out like what had no time.
 */
static int run_groups(struct runner *run)
{
	const size_t nr = run->w->nr_cases(run->results);
	const double began = child_clock_ms();
	double longest = 0;
	size_t end;
	int r = 0;

	for (size_t first = 0; first < nr; first = end) {
		const double start = child_clock_ms();
		const bool fits = longest == 0 || (start - began + longest) / 1e3 <= run->group_seconds;
		char why[64] = "the run was interrupted before";

		end = group_end(run, first);
		if (!any_due(run, first, end))
			continue;
		if (r == 0 && fits)
			r = finish_group(run, first, end);
		else if (r == 0)
			snprintf(why, sizeof(why), "--quick: it does not fit into %.0f s here", run->group_seconds);
		if (r == 0 && fits) {
			longest = fmax(longest, child_clock_ms() - start);
			run->run.done[BOUND_SMALL] = run->plan->rounds; /* of a group at least */
			continue;
		}
		for (size_t i = first; i < end; i++)
			if (run->w->is_due(run->results, i))
				run->w->leave_out(run->results, i, why);
	}
	return r;
}

/* What there is of a run that was interrupted: whole rounds, or cases. 0: that is to be reported. */
static int interrupted(struct runner *run)
{
	const int done = run->run.done[BOUND_SMALL];
	struct signalfd_siginfo taken;

	if (!run->w->interrupted && (!done || (run->plan->seconds > 0 && !run->run.done[BOUND_LARGEST])))
		return -EINTR;
	if (run->plan->limits.signal_fd >= 0) /* from here on another one ends the writing */
		(void)!read(run->plan->limits.signal_fd, &taken, sizeof(taken));
	if (run->w->interrupted)
		run->w->interrupted(run->results);
	else
		run->plan->rounds = done;
	return 0;
}

/* All that is measured. A guest's TSC has the host's rate, nobody scales it: the rate is taken over the whole run. */
static int measure(struct runner *run)
{
	const double began = child_clock_ms();
	const uint64_t tsc = chase_tsc();
	const size_t nr = run->w->nr_cases(run->results);
	int r;

	BUG_ON(nr > WORKLOAD_MAX_CASES);
	r = run->group_seconds > 0 ? 0 : prepare_cases(run, 0, nr);
	if (r == 0) {
		r = run->group_seconds > 0   ? run_groups(run)
		    : run->plan->seconds > 0 ? run_bounded(run)
		                             : run_rounds(run);
		if (r == -EINTR && interrupted(run) == 0) {
			r = 0;
			run->cut = true;
		}
	}
	log_progress("%s", "");
	run->run.tsc_mhz = (chase_tsc() - tsc) / (child_clock_ms() - began) / 1e3;
	if (r == 0 && run->w->finish)
		run->w->finish(run->results, &run->run);
	return r;
}

/* To nobody: NULL. */
static void say(const struct runner *run, void (*sentences)(const void *results, FILE *to), FILE *to)
{
	if (sentences && to)
		sentences(run->results, to);
}

static int give_tables(const struct runner *run, const struct runner_output *output)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < WORKLOAD_MAX_TABLES && run->w->tables[i]; i++) {
		struct report *table = NULL;

		r = run->w->tables[i](run->results, &table);
		if (r == 0 && table)
			r = output->take(output->arg, table);
	}
	if (r < 0)
		return r;
	if (output->text && (run->w->find || run->w->explain))
		fputc('\n', output->text);
	say(run, run->w->find, output->text);
	say(run, run->w->explain, output->text);
	say(run, run->w->find, output->finding);
	say(run, run->w->explain, output->words);
	return 0;
}

int runner_run(const struct workload *w, const struct bench_plan *asked, const struct runner_output *output,
               bool *ret_measured)
{
	struct bench_plan plan = runner_plan(w, asked);
	struct runner run = {.w = w,
	                     .plan = &plan,
	                     .results = calloc(1, w->results_size),
	                     .child = malloc(sizeof(*run.child)),
	                     .random = plan.seed * 2 + 1};
	int r = -ENOMEM;

	if (asked->quick && !bench_times_na(asked->host))
		run.group_seconds = w->group_seconds;
	if (run.results && run.child) {
		r = w->begin(run.results, &plan);
		if (r == 0)
			r = measure(&run);
		if (r == 0)
			r = give_tables(&run, output);
		if (r == 0 && run.cut)
			r = -EINTR;
		*ret_measured |= (r == 0 || run.cut) && w->any(run.results);
		if (w->release)
			w->release(run.results);
	}
	free(run.results);
	free(run.child);
	return r;
}
