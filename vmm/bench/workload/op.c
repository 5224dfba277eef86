/* SPDX-License-Identifier: MIT */
#include "bench/workload/op.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/process.h"
#include "bench/workload/counts.h"
#include "bench/workload/turn.h"

/* The arguments of `gnomon run` for a request, in text that the caller keeps. */
struct guest_command {
	char options[OP_MAX_OPTIONS], words[OP_MAX_OPTIONS];
	char most[16], ops[16], blocks[16];
	const char *argv[32];
};

/* stats: where the counters go; NULL: nowhere. */
static void guest_command_init(const struct op_results *res, const struct op_case *c, const struct op_request *q,
                               const char *stats, struct guest_command *g)
{
	size_t n = 0;

	op_options(c->without, c->with, g->options, g->words);
	snprintf(g->most, sizeof(g->most), "%" PRIu32, q->most);
	snprintf(g->ops, sizeof(g->ops), "%" PRIu32, q->ops);
	snprintf(g->blocks, sizeof(g->blocks), "%" PRIu32, q->blocks);
	memcpy(g->argv,
	       (const char *[]){process_self(), "run", "--paging", bench_environments[c->where].paging, "--memory",
	                        res->set->memory, "--backing", c->thp ? "thp" : "4k", "--shadow-opt", g->options,
	                        "--balloon", "free-page-reporting"},
	       12 * sizeof(*g->argv));
	n = 12;
	if (c->monitor) {
		memcpy(g->argv + n,
		       (const char *[]){"--enclave-memory", res->set->enclave_memory, "--enclave-monitor", c->monitor},
		       4 * sizeof(*g->argv));
		n += 4;
	}
	if (stats) {
		g->argv[n++] = "--stats";
		g->argv[n++] = stats;
	}
	memcpy(g->argv + n,
	       (const char *[]){res->plan->file[BENCH_COST], "--", q->row, g->most, g->ops, g->blocks, NULL},
	       7 * sizeof(*g->argv));
}

static const char *parse_words(int r)
{
	switch (r) {
	case -EINVAL:
		return "its output is not what was asked for";
	case -ERANGE:
		return "its clock stood still";
	default:
		return "its output is no result";
	}
}

static struct op_request request_of(const struct op_case *c)
{
	return (struct op_request){.row = c->row, .most = c->ops, .ops = c->ops, .blocks = c->blocks};
}

static int run_child(struct op_results *res, const struct turn *turn, const struct op_request *q, const char *stats)
{
	const struct op_case *c = op_case_of(res, turn->i);
	const struct op_native native = {.request = q, .bytes = c->bytes, .thp = c->thp};
	bench_reason *na = &res->series[turn->i].na;
	struct guest_command command;

	if (c->where == BENCH_NATIVE)
		return turn_call(turn, res->set->native, &native, na);
	guest_command_init(res, c, q, stats, &command);
	return turn_exec(turn, command.argv, na);
}

/* One run of a case. 0, also when it failed, which leaves its reason; -EINTR. */
static int run_case(struct op_results *res, const struct turn *turn, const struct op_request *q, const char *stats,
                    struct op_ticks *ret_ticks)
{
	struct op_series *s = &res->series[turn->i];
	int r = run_child(res, turn, q, stats);

	if (r < 0 || *s->na)
		return r;
	r = op_output_parse(turn->child->out, turn->child->out_len, q, ret_ticks);
	if (r < 0)
		reason_set(&s->na, parse_words(r));
	return 0;
}

int op_turn(void *results, const struct turn *turn)
{
	struct op_results *res = results;
	const struct op_request q = request_of(op_case_of(res, turn->i));
	struct op_series *s = &res->series[turn->i];
	struct op_ticks ticks = {0};
	const int r = run_case(res, turn, &q, NULL, &ticks);

	s->us[turn->round] = ticks.op;
	s->floor_us[turn->round] = ticks.floor;
	return r;
}

/* Counters of a run with so many operations. 0 or -EINTR; what else fails leaves its reason. */
static int count_run(struct op_results *res, const struct turn *turn, uint32_t ops, struct counts *ret_counts)
{
	struct op_request q = request_of(op_case_of(res, turn->i));
	struct op_series *s = &res->series[turn->i];
	struct counts_file file;
	struct op_ticks ticks;
	int r;

	q.ops = ops;
	q.blocks = 1;
	if (!counts_begin(&file, &s->na))
		return 0;
	r = run_case(res, turn, &q, file.path, &ticks);
	return counts_end(&file, r, &s->na, ret_counts);
}

static double an_operation(uint64_t half, uint64_t full, uint32_t ops)
{
	return (double)(int64_t)(full - half) / ops;
}

/* What an operation adds to the counters: the difference of two runs that differ in operations alone. */
int op_count(void *results, const struct turn *turn)
{
	struct op_results *res = results;
	const struct op_case *c = op_case_of(res, turn->i);
	struct op_series *s = &res->series[turn->i];
	const uint32_t half_ops = c->ops / 2;
	struct counts half, full;
	int r;

	if (c->where == BENCH_NATIVE || c->uncounted)
		return 0;
	r = count_run(res, turn, half_ops, &half);
	if (r == 0 && !*s->na)
		r = count_run(res, turn, c->ops, &full);
	if (r < 0 || *s->na)
		return r;
	s->exits = an_operation(half.exits, full.exits, c->ops - half_ops);
	s->pages_built = an_operation(half.pages_built, full.pages_built, c->ops - half_ops);
	s->shadow_events = an_operation(half.shadow_events, full.shadow_events, c->ops - half_ops);
	return 0;
}

/* Cases to be compared: the words of their rows are the same up to a dash. */
static bool belong_together(const struct op_case *a, const struct op_case *b)
{
	const size_t len = strcspn(a->row, "-");

	return len == strcspn(b->row, "-") && memcmp(a->row, b->row, len) == 0;
}

size_t op_group_end(const void *results, size_t first)
{
	const struct op_results *res = results;
	const struct op_case *c = res->set->cases;
	size_t end = first;

	while (end < res->set->nr_cases && belong_together(&c[end], &c[first]))
		end++;
	return end;
}

void op_leave_out(void *results, size_t i, const char *why)
{
	struct op_results *res = results;

	reason_set(&res->series[i].na, why);
}

bool op_is_due(const void *results, size_t i)
{
	return op_has(results, i);
}

void op_describe(const void *results, size_t i, char *ret_text, size_t size)
{
	const struct op_case *c = op_case_of(results, i);

	snprintf(ret_text, size, "%s, %s", c->row, bench_environments[c->where].name);
}

/* Gives the case its reason if it cannot be measured. A process has nothing but times. */
static void rule_out(struct op_results *res, size_t i)
{
	const struct host_info *h = res->plan->host;
	const struct op_case *c = op_case_of(res, i);
	struct op_series *s = &res->series[i];

	if (c->where == BENCH_NATIVE) {
		if (bench_times_na(h))
			reason_set(&s->na, bench_times_na(h));
		return;
	}
	reason_without_kvm(&s->na, h);
	if (!*s->na && c->needs && !op_has_option(c->needs))
		snprintf(s->na, sizeof(s->na), "this build has no shadow optimisation '%s'", c->needs);
}

int op_begin(struct op_results *res, const struct op_set *set, const struct bench_plan *plan)
{
	int r = 0;

	res->plan = plan;
	res->set = set;
	for (size_t i = 0; r == 0 && i < set->nr_cases; i++) {
		struct op_series *s = &res->series[i];

		s->exits = s->pages_built = s->shadow_events = NAN;
		rule_out(res, i);
		r = series_pair(plan->rounds, &s->us, &s->floor_us);
	}
	return r;
}

void op_finish(void *results, const struct bench_run *run)
{
	struct op_results *res = results;

	res->tsc_mhz = run->tsc_mhz;
	for (size_t i = 0; i < res->set->nr_cases; i++)
		series_scale(res->series[i].us, res->series[i].floor_us, res->plan->rounds, 1 / res->tsc_mhz);
}

void op_release(void *results)
{
	struct op_results *res = results;

	for (size_t i = 0; i < OP_MAX_CASES; i++)
		free(res->series[i].us);
}
