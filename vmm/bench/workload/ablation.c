/* SPDX-License-Identifier: MIT */
#include "bench/workload/ablation.h"

#include "bench/stats.h"
#include "bench/workload/ablation_parts.h"
#include "bench/workload/turn.h"

#define OPERATION(name, number, in_blocks, ...)                                                                        \
	{                                                                                                              \
		.where = BENCH_SHADOW, .row = name, .ops = number, .blocks = in_blocks, __VA_ARGS__                    \
	}

static const struct op_case operations[ABLATION_OPERATIONS] = {
    OPERATION("fault", 512, 64, .what = "first store to a page whose guest entry is there, with A and D set"),
    OPERATION("cr3-load", 256, 32, .what = "CR3 load, of two roots in turn"),
    OPERATION("invlpg", 256, 32, .what = "INVLPG of a page and a load from it"),
    OPERATION("table-write", 512, 64, .what = "store to an entry of a leaf table in use"),
    OPERATION("table-flush", 16, 16, .what = "512 stores to one leaf table in use, a CR3 load, a load through it"),
    OPERATION("table-data", 32, 32,
              .what = "a page directory linked, used and unlinked, a CR3 load, 64 stores to its frame"),
    OPERATION("first-write", 512, 64, .what = "first store to a page that was read before: D is set"),
    OPERATION("touch-4k", 32, 32, .what = "first store to each 4 KiB page of 2 MiB that the host has"),
    OPERATION("touch-2m", 32, 32, .thp = true, .what = "as touch-4k, by one 2 MiB guest page on one of the host's"),
};

/* Optimisations that are off in a setting. One that needs another goes with it; one that is needed stays with it. */
static unsigned off_in(size_t setting)
{
	const size_t n = (setting - ABLATION_LEFT_OUT) % SHADOW_OPTS_ON;
	const struct shadow_opt_desc *d = &shadow_opt_desc[n];
	unsigned off = 0;

	for (size_t i = 0; i < SHADOW_OPTS_ON; i++) {
		const struct shadow_opt_desc *other = &shadow_opt_desc[i];
		bool is_off = setting == ABLATION_NONE;

		if (setting >= ABLATION_LEFT_OUT && setting < ABLATION_ALONE)
			is_off = (other->opt | other->needs) & d->opt;
		else if (setting >= ABLATION_ALONE && setting < ABLATION_NONE)
			is_off = !((d->opt | d->needs) & other->opt);
		off |= is_off ? 1u << i : 0;
	}
	return off;
}

void ablation_init(struct ablation *a)
{
	a->set = (struct op_set){.cases = a->cases, .nr_cases = ABLATION_CASES, .memory = "128M"};
	for (size_t i = 0; i < ABLATION_CASES; i++) {
		const unsigned off = off_in(i % ABLATION_SETTINGS);
		struct op_case *c = &a->cases[i];
		size_t n = 0;

		*c = operations[i / ABLATION_SETTINGS];
		if (i % ABLATION_SETTINGS)
			c->what = NULL;
		for (size_t k = 0; k < SHADOW_OPTS_ON; k++)
			if (off >> k & 1)
				c->without[n++] = shadow_opt_desc[k].name;
		c->with = i % ABLATION_SETTINGS == ABLATION_LAZY ? shadow_opt_desc[SHADOW_OPTS_ON].name : NULL;
	}
}

static bool is_alone(size_t i)
{
	return i % ABLATION_SETTINGS >= ABLATION_ALONE && i % ABLATION_SETTINGS < ABLATION_NONE;
}

static int begin(void *results, const struct bench_plan *plan)
{
	struct ablation *a = results;

	int r;

	ablation_init(a);
	r = op_begin(&a->op, &a->set, plan);
	for (size_t i = 0; r == 0 && plan->quick && i < ABLATION_CASES; i++)
		if (is_alone(i) && op_has(&a->op, i))
			reason_set(&a->op.series[i].na, "--quick leaves out what one alone does");
	return r;
}

/* A setting is compared with another of the same operation. */
static size_t group_end(const void *results, size_t first)
{
	return first + ABLATION_SETTINGS;
}

static void describe(const void *results, size_t i, char *ret_text, size_t size)
{
	const struct op_case *c = op_case_of(results, i);
	char list[OP_MAX_OPTIONS], words[OP_MAX_OPTIONS];

	op_options(c->without, c->with, list, words);
	snprintf(ret_text, size, "%s, %s", c->row, list);
}

const struct workload ablation_workload = {
    .name = "ablation",
    .what = "what each optimisation of shadow paging brings, and what it costs elsewhere",
    .needs = 1 << BENCH_COST,
    .rounds = 11,
    .quick_rounds = STATS_FEWEST,
    .group_seconds = 100,
    .results_size = sizeof(struct ablation),
    .begin = begin,
    .nr_cases = op_nr,
    .is_due = op_is_due,
    .group_end = group_end,
    .leave_out = op_leave_out,
    .describe = describe,
    .prepare = op_count,
    .turn = op_turn,
    .finish = op_finish,
    .any = op_any,
    .tables = {ablation_report, ablation_options_report},
    .find = ablation_find,
    .explain = ablation_explain,
    .release = op_release,
};

_Static_assert(ABLATION_CASES <= OP_MAX_CASES, "room for the results");
_Static_assert(SHADOW_OPTS_ON <= OP_MAX_WITHOUT, "none is all of them left out");
