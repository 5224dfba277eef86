/* SPDX-License-Identifier: MIT */
#include "bench/runner.h"

#include <errno.h>
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

/* One turn for each case of these parts of a round. 0: the round counts; -ETIMEDOUT: it was cut short. */
static int run_round(struct runner *run, struct turn *turn)
{
	const struct workload *w = run->w;
	const size_t nr = w->nr_cases(run->results);
	size_t order[WORKLOAD_MAX_CASES] = {0}, end;
	int r = 0;

	for (size_t first = 0; r == 0 && first < nr; first = end) {
		end = w->group_end ? w->group_end(run->results, first) : first + 1;
		shuffle(first, end, &run->random, order);
		for (size_t n = 0; r == 0 && n < end - first; n++) {
			turn->i = order[n];
			if (!w->is_due(run->results, turn->i))
				continue;
			show(run, turn, false);
			r = w->turn(run->results, turn);
		}
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

static int prepare_cases(struct runner *run)
{
	struct turn turn = {.parts = TURN_ALL, .limits = run->plan->limits, .child = run->child};
	const size_t nr = run->w->nr_cases(run->results);
	int r = 0;

	BUG_ON(nr > WORKLOAD_MAX_CASES);
	for (turn.i = 0; run->w->prepare && r == 0 && turn.i < nr; turn.i++) {
		if (!run->w->is_due(run->results, turn.i))
			continue;
		show(run, &turn, true);
		r = run->w->prepare(run->results, &turn);
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
	int r = prepare_cases(run);

	if (r == 0) {
		r = run->plan->seconds > 0 ? run_bounded(run) : run_rounds(run);
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
