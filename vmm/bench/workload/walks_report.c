/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/workload/walks.h"

#define SHARES 160 /* characters */

static const struct report_column columns[] = {
    {"environment", "run", NULL, 0},
    {"page", "page", NULL, 0},
    {"backing", "backing", NULL, 0},
    {"state", "state", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"refs", "refs", NULL, REPORT_RANGE},
    {"refs_mean", "mean", NULL, 2},
    {"measured", "measured", NULL, REPORT_RANGE},
    {"measured_mean", "mean", NULL, 2},
    {"measured_most", "most common", NULL, 0},
    {"measured_all", "all", NULL, 0},
    {"walks", "walks", NULL, 0},
    {"loads", "loads", NULL, 0},
    {"exits", "exits", NULL, 0},
};
static const struct report_layout layout = {"walks", columns, sizeof(columns) / sizeof(*columns), NULL};

/* "24: 99.8 %, 23: 0.2 %", the most common first; what does not fit ends in an ellipsis. */
static void shares(const struct walks_result *result, char buf[SHARES])
{
	const double all = walks_counted(result);
	uint64_t left[WALK_MAX_READS + 1];
	size_t n = 0;

	memcpy(left, result->reads, sizeof(left));
	*buf = 0;
	for (;;) {
		int most = 0;

		for (int i = 1; i <= WALK_MAX_READS; i++)
			if (left[i] > left[most])
				most = i;
		if (!left[most])
			return;
		if (n > SHARES - 32) {
			strcpy(buf + n, ", ...");
			return;
		}
		n += snprintf(buf + n, SHARES - n, "%s%d%s: %.*f %%", n ? ", " : "", most,
		              most == WALK_MAX_READS ? " or more" : "", left[most] / all < 0.001 ? 2 : 1,
		              left[most] / all * 100);
		left[most] = 0;
	}
}

static void set_measured(struct report *t, const struct walks_result *result)
{
	const uint64_t all = walks_counted(result);
	unsigned low = 0, high = 0, most = 0;
	uint64_t sum = 0;
	char buf[SHARES];

	for (unsigned i = 0; i <= WALK_MAX_READS; i++) {
		sum += i * result->reads[i];
		if (result->reads[i] > result->reads[most])
			most = i;
		if (result->reads[i] && !low)
			low = i;
		if (result->reads[i])
			high = i;
	}
	shares(result, buf);
	report_set_range(t, "measured", low, high);
	report_set_number(t, "measured_mean", (double)sum / all);
	report_set_number(t, "measured_most", most);
	report_set_text(t, "measured_all", buf);
	report_set_number(t, "walks", all);
}

static void set_model(struct report *t, const struct walks_model *m)
{
	if (!m->low) {
		report_set_na(t, "refs", "the guest was not told: the second stage is not known");
		report_set_na(t, "refs_mean", "the guest was not told: the second stage is not known");
		return;
	}
	report_set_range(t, "refs", m->low, m->high);
	if (m->mean_low < m->mean_high)
		report_set_na(t, "refs_mean", "the host does not say how it maps all of the memory");
	else
		report_set_number(t, "refs_mean", m->mean_low);
}

static int add_row(struct report *t, const void *results, size_t i)
{
	const struct walks_results *res = results;
	const struct walks_result *result = &res->result[i];
	const struct walks_case *c = &res->cases[i];

	report_row(t);
	report_set_text(t, "environment", bench_environments[c->where].name);
	report_set_text(t, "page", walks_page_name[c->page]);
	report_set_text(t, "backing", backing_name(c->backing));
	report_set_text(t, "state", walks_state_name[c->state]);
	report_set_text(t, "second_stage", host_second_stage_label(res->plan->host));
	if (*result->na) {
		report_set_rest_na(t, result->na);
		return 0;
	}
	set_model(t, &result->model);
	report_set_number(t, "loads", res->loads);
	if (res->no_counter) {
		report_set_rest_na(t, res->no_counter);
		return 0;
	}
	set_measured(t, result);
	report_set_number(t, "exits", result->exits);
	return 0;
}

int walks_report(const void *results, struct report **ret_table)
{
	const struct walks_results *res = results;

	return report_build(&layout, res, res->nr_cases, add_row, ret_table);
}

void walks_explain(const void *results, FILE *to)
{
	const struct walks_results *res = results;

	if (!walks_any(res))
		return;
	fprintf(to,
	        "refs: table entries that a walk reads by the model, from the guest's tables as they stand. holes: the "
	        "balloon\n"
	        "has the first 4 KiB of each 2 MiB; joined: they came back and were used. %u loads, each from another "
	        "page than\n"
	        "those before.\n",
	        res->loads);
	if (res->no_counter)
		return;
	fprintf(to,
	        "measured: entries that the emulated CPU's page walker did read, of all walks to the memory that the "
	        "loads went\n"
	        "to; it has no page-walk cache. exits: all VM exits of the host meanwhile.\n");
}
