/* SPDX-License-Identifier: MIT */
/*
 * Workload `ablation`: its settings are what they are called, each optimisation with those that it needs; and the row of
 * an optimisation names the operations that it really changes, or says that there is none.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/workload/ablation_parts.h"
#include "table_text.h"

#define ROUNDS 6

static double us[ABLATION_CASES][2 * ROUNDS];
static const struct host_info host = {.kvm = HOST_KVM_OK, .second_stage = HOST_STAGE_SOFTWARE_NPT0};
static struct bench_plan plan;
static struct ablation a;

/* Every case takes 2 us. */
static void setup(void)
{
	plan = (struct bench_plan){.host = &host, .where = 1 << BENCH_SHADOW, .rounds = ROUNDS};
	ablation_init(&a);
	a.op = (struct op_results){.plan = &plan, .set = &a.set};
	for (size_t i = 0; i < ABLATION_CASES; i++) {
		a.op.series[i] =
		    (struct op_series){.us = us[i], .floor_us = us[i] + ROUNDS, .exits = 1, .shadow_events = 7};
		for (int n = 0; n < 2 * ROUNDS; n++)
			us[i][n] = 2;
	}
}

TestSuite(bench_ablation, .init = setup);

static unsigned opts_of(size_t setting)
{
	char list[OP_MAX_OPTIONS], words[OP_MAX_OPTIONS];
	unsigned opts;

	op_options(a.cases[setting].without, a.cases[setting].with, list, words);
	cr_assert_eq(shadow_opt_parse(list, &opts), 0, "%s", list);
	return opts;
}

static size_t number_of(const char *option)
{
	for (size_t n = 0; n < SHADOW_OPTS_ON; n++)
		if (strcmp(shadow_opt_desc[n].name, option) == 0)
			return n;
	cr_assert_fail("no option %s", option);
	return 0;
}

/* As `gnomon run --shadow-opt` will take the list: nothing comes back because another needs it. */
Test(bench_ablation, settings)
{
	cr_expect_eq(opts_of(ABLATION_ALL), SHADOW_OPT_ALL);
	cr_expect_eq(opts_of(ABLATION_NONE), 0u);
	cr_expect_eq(opts_of(ABLATION_LAZY), SHADOW_OPT_ALL | SHADOW_OPT_LAZY);
	for (size_t n = 0; n < SHADOW_OPTS_ON; n++) {
		const struct shadow_opt_desc *d = &shadow_opt_desc[n];

		cr_expect_eq(opts_of(ABLATION_ALONE + n), (unsigned)d->opt | d->needs, "%s alone", d->name);
		cr_expect_eq(opts_of(ABLATION_LEFT_OUT + n) & d->opt, 0u, "without %s", d->name);
	}
	cr_expect_eq(opts_of(ABLATION_LEFT_OUT + number_of("emulate-update")),
	             SHADOW_OPT_ALL & ~(SHADOW_OPT_EMULATE_UPDATE | SHADOW_OPT_UNSYNC | SHADOW_OPT_PROMOTE));
	cr_expect_eq(opts_of(ABLATION_LEFT_OUT + number_of("large")), SHADOW_OPT_ALL & ~SHADOW_OPT_LARGE);
}

static void times_of(size_t operation, size_t setting, double a_round, double b, double c)
{
	memcpy(us[operation * ABLATION_SETTINGS + setting], (double[ROUNDS]){a_round, b, c, a_round, b, c},
	       ROUNDS * sizeof(double));
}

static char *csv(int (*make)(const void *results, struct report **ret_table))
{
	struct report *table = NULL;

	cr_assert_eq(make(&a, &table), 0);
	return table_text(table, report_write_csv);
}

/* Of two that lose it names the greater; what may be chance is none. */
Test(bench_ablation, effects)
{
	const size_t unsync = ABLATION_LEFT_OUT + number_of("unsync"), large = ABLATION_LEFT_OUT + number_of("large");
	char *text;

	times_of(0, unsync, 3, 3, 3);
	times_of(1, unsync, 8, 8, 8);
	times_of(2, unsync, 1, 1, 1);
	times_of(0, large, 1, 3, 2);
	text = csv(ablation_options_report);
	cr_expect(strstr(text, "\nunsync,all but unsync,cr3-load,4,4,4,1,1,invlpg,0.5,0.5,0.5,6\n"), "%s", text);
	cr_expect(strstr(text, "\nlarge,all but large,,,,,,,,,,,6\n"), "%s", text);
	free(text);
}

/* A row for each case; a setting that could not run has its reason, and so has every ratio to it. */
Test(bench_ablation, rows)
{
	char *text;

	strcpy(a.op.series[ABLATION_ALL].na, "the child was killed");
	times_of(1, ABLATION_NONE, 10, 10, 10);
	text = csv(ablation_report);
	cr_expect(strstr(text, "\nfault,left out,nothing,all,"), "%s", text);
	cr_expect(strstr(text, "\nfault,left out,everything,"), "%s", text);
	cr_expect(strstr(text, "\nfault,alone,unsync,\"emulate-update,unsync\","), "%s", text);
	cr_expect(strstr(text, ",2,0,1,7,0,,,,6\n"), "no ratio to what is not there: %s", text);
	cr_expect(strstr(text, ",10,0,1,7,0,5,5,5,6\n"), "%s", text);
	free(text);
}

Test(bench_ablation, sentences)
{
	char *text;

	times_of(0, ABLATION_LEFT_OUT + number_of("unsync"), 3, 3, 3);
	text = said_text(ablation_find, &a);
	cr_expect_str_eq(text, "Without unsync fault takes 1.50 times as long (95% interval 1.50 to 1.50).\n");
	free(text);
	for (size_t i = 0; i < ABLATION_CASES; i++)
		strcpy(a.op.series[i].na, "no /dev/kvm");
	text = said_text(ablation_find, &a);
	cr_expect_str_eq(text, "");
	free(text);
	text = said_text(ablation_explain, &a);
	cr_expect_str_eq(text, "");
	free(text);
}
