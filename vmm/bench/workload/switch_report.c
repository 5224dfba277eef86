/* SPDX-License-Identifier: MIT */
#include "bench/stats.h"
#include "bench/workload/switch.h"

#define TABLE_ENTRIES 512
#define TABLE_KIB     4.0

static const struct report_column columns[] = {
    {"cpus", "vCPUs", NULL, 0},
    {"tables", "guest's tables", "KiB", 0},
    {"to", "switch to", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"stopped", "median", "us", 1},
    {"stopped_p99", "p99", "us", 1},
    {"stopped_max", "longest", "us", 1},
    {"exits", "exits", NULL, 1},
    {"shadow_events", "shadow events", NULL, 1},
    {"n", "n", NULL, 0},
};
static const struct report_layout layout = {"switch", columns, sizeof(columns) / sizeof(*columns), NULL};

double switch_tables_kib(uint32_t pages)
{
	return (pages + TABLE_ENTRIES - 1) / TABLE_ENTRIES * TABLE_KIB;
}

bool switch_any(const void *results)
{
	const struct switch_results *res = results;

	for (size_t i = 0; i < res->nr_cases; i++)
		if (!*res->na[i])
			return true;
	return false;
}

/* A switch's, of the rounds that are reported: times of one that was interrupted are not in the row either. */
static void set_counts(struct report *t, const struct switch_results *res, size_t i, enum switch_to to)
{
	const double n = (double)res->plan->rounds * SWITCH_PAIRS;
	struct counts sum = {0};

	for (int round = 0; round < res->plan->rounds; round++) {
		sum.exits += res->counts[i][round].of[to].exits;
		sum.shadow_events += res->counts[i][round].of[to].shadow_events;
	}
	counts_set(t, true, (double)sum.exits / n, (double)sum.shadow_events / n, NULL);
}

/* Rows are numbered by case, within each by mode. */
static int add_row(struct report *t, const void *results, size_t row)
{
	const struct switch_results *res = results;
	const size_t i = row / SWITCH_NR_TO;
	const enum switch_to to = row % SWITCH_NR_TO;
	const size_t n = (size_t)res->plan->rounds * SWITCH_PAIRS;
	struct stats_summary us;
	int r;

	report_row(t);
	report_set_number(t, "cpus", res->cases[i].cpus);
	report_set_number(t, "tables", switch_tables_kib(res->cases[i].pages));
	report_set_text(t, "to", switch_mode[to]);
	report_set_text(t, "second_stage", host_second_stage_label(res->plan->host));
	if (*res->na[i]) {
		report_set_rest_na(t, res->na[i]);
		return 0;
	}
	r = stats_summarise(res->us[i][to], n, STATS_SEED, &us);
	if (r < 0)
		return r;
	report_set_number(t, "stopped", us.median);
	report_set_number(t, "stopped_p99", us.p99);
	report_set_number(t, "stopped_max", us.max);
	set_counts(t, res, i, to);
	report_set_number(t, "n", n);
	return 0;
}

int switch_report(const void *results, struct report **ret_table)
{
	const struct switch_results *res = results;

	return report_build(&layout, results, res->nr_cases * SWITCH_NR_TO, add_row, ret_table);
}

void switch_explain(const void *results, FILE *to)
{
	if (!switch_any(results))
		return;
	fputs("Times are those that set-paging reports: how long all vCPUs were stopped. One vCPU\n"
	      "chases through pages of 4 KiB, the others are halted. The guest's tables are those that map these "
	      "pages.\n"
	      "Exits and shadow events are those of a switch and of the 50 ms behind it, in which the guest comes to "
	      "use\n"
	      "its tables in the new mode.\n",
	      to);
}
