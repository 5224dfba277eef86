/* SPDX-License-Identifier: MIT */
#include "bench/workload/sharing.h"

#define US_PER_MS 1e3
#define US_PER_S  1e6
#define MIB       1048576.0
#define KIB       1024.0
#define PERCENT   100.0
#define SINCE_BAR 10 /* times as fast as a full save */
#define DEDUP_BAR 85 /* percent of the ideal */

static const struct report_column snapshot_columns[] = {
    {"environment", "environment", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"memory", "memory", "MiB", 0},
    {"full", "full save", "ms", 1},
    {"full_pause", "pause", "ms", 2},
    {"full_size", "size", "MiB", 1},
    {"exits_full", "exits", NULL, 0},
    {"shadow_events_full", "shadow events", NULL, 0},
    {"since", "save since", "ms", 1},
    {"since_pause", "pause", "ms", 2},
    {"since_size", "size", "MiB", 2},
    {"exits_since", "exits", NULL, 0},
    {"shadow_events_since", "shadow events", NULL, 0},
    {"ratio", "of full", NULL, 4},
    {"ratio_ci_low", "95% from", NULL, 4},
    {"ratio_ci_high", "to", NULL, 4},
    {"n", "n", NULL, 0},
};
static const struct report_layout snapshot_layout = {"sharing-snapshot", snapshot_columns,
                                                     sizeof(snapshot_columns) / sizeof(*snapshot_columns), NULL};

static const struct report_column restore_columns[] = {
    {"environment", "environment", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"memory", "memory", "MiB", 0},
    {"set", "working set", "MiB", 0},
    {"how", "memory is", NULL, 0},
    {"first", "first output", "ms", 1},
    {"first_ci_low", "95% from", "ms", 1},
    {"first_ci_high", "to", "ms", 1},
    {"swept", "working set touched", "ms", 1},
    {"swept_ci_low", "95% from", "ms", 1},
    {"swept_ci_high", "to", "ms", 1},
    {"exits", "exits", NULL, 0},
    {"shadow_events", "shadow events", NULL, 0},
    {"n", "n", NULL, 0},
};
static const struct report_layout restore_layout = {"sharing-restore", restore_columns,
                                                    sizeof(restore_columns) / sizeof(*restore_columns), NULL};

static const struct report_column guests_columns[] = {
    {"environment", "environment", NULL, 0},
    {"second_stage", "second stage", NULL, 0},
    {"how", "they share by", NULL, 0},
    {"guests", "guests", NULL, 0},
    {"memory", "memory each", "MiB", 0},
    {"set", "working set", "MiB", 0},
    {"alone", "without", "MiB", 1},
    {"together", "with", "MiB", 1},
    {"saved", "saved", "percent", 1},
    {"of_ideal", "of the ideal", "percent", 1},
    {"time", "time", "s", 2},
    {"exits", "exits each", NULL, 0},
    {"shadow_events", "shadow events each", NULL, 0},
    {"n", "n", NULL, 0},
};
static const struct report_layout guests_layout = {"sharing-guests", guests_columns,
                                                   sizeof(guests_columns) / sizeof(*guests_columns), NULL};

static double median(const struct sharing_results *res, size_t i, int value)
{
	struct stats_summary s;

	return stats_summarise(res->guests.value[i][value], (size_t)res->rounds, STATS_SEED, &s) == 0 ? s.median : 0;
}

static bool takes_part(const struct sharing_results *res, size_t i)
{
	return res->plan->where >> sharing_where(i) & 1;
}

/* Two columns of what was counted, of which `divide_by` guests share; the events come behind the exits. */
static void set_counts(struct report *t, const struct sharing_results *res, size_t i, int exits, unsigned divide_by,
                       const char *exits_name, const char *events_name)
{
	report_set_number(t, exits_name, median(res, i, exits) / divide_by);
	if (sharing_where(i) == BENCH_SHADOW)
		report_set_number(t, events_name, median(res, i, exits + 1) / divide_by);
	else
		report_set_na(t, events_name, "only shadow mode has a shadow of ours");
}

/* What all rows begin with. */
static struct sharing_guest_size begin_row(struct report *t, const struct sharing_results *res, size_t i)
{
	const struct sharing_guest_size size = sharing_guest_size(sharing_what(i), res->plan->quick);

	report_row(t);
	report_set_text(t, "environment", bench_environments[sharing_where(i)].name);
	report_set_text(t, "second_stage", host_second_stage_label(res->plan->host));
	report_set_number(t, "memory", size.memory);
	return size;
}

/* Why there are no values, or no times; NULL: there are. */
static const char *reason(const struct sharing_results *res, size_t i)
{
	return *res->guests.na[i] ? res->guests.na[i] : NULL;
}

static int add_snapshot(struct report *t, const void *results, size_t i)
{
	const struct sharing_results *res = results;
	struct stats_ratio ratio;
	int r;

	if (sharing_what(i) != SHARING_SNAPSHOT || !takes_part(res, i))
		return 0;
	begin_row(t, res, i);
	if (reason(res, i)) {
		report_set_rest_na(t, reason(res, i));
		return 0;
	}
	report_set_number(t, "full_size", median(res, i, SNAPSHOT_FULL_BYTES) / MIB);
	report_set_number(t, "since_size", median(res, i, SNAPSHOT_SINCE_BYTES) / MIB);
	set_counts(t, res, i, SNAPSHOT_FULL_EXITS, 1, "exits_full", "shadow_events_full");
	set_counts(t, res, i, SNAPSHOT_SINCE_EXITS, 1, "exits_since", "shadow_events_since");
	report_set_number(t, "n", res->rounds);
	if (bench_times_na(res->plan->host)) {
		report_set_rest_na(t, bench_times_na(res->plan->host));
		return 0;
	}
	r = stats_paired_ratio(res->guests.value[i][SNAPSHOT_SINCE], res->guests.value[i][SNAPSHOT_FULL],
	                       (size_t)res->rounds, STATS_SEED, &ratio);
	if (r < 0)
		return r;
	report_set_number(t, "full", median(res, i, SNAPSHOT_FULL) / US_PER_MS);
	report_set_number(t, "full_pause", median(res, i, SNAPSHOT_FULL_PAUSE) / US_PER_MS);
	report_set_number(t, "since", median(res, i, SNAPSHOT_SINCE) / US_PER_MS);
	report_set_number(t, "since_pause", median(res, i, SNAPSHOT_SINCE_PAUSE) / US_PER_MS);
	report_set_ratio(t, "ratio", &ratio);
	return 0;
}

/* A time in us as NAME, NAME_ci_low and NAME_ci_high in ms. */
static int set_time(struct report *t, const struct sharing_results *res, size_t i, int value, const char *name)
{
	struct stats_summary s;
	const int r = stats_summarise(res->guests.value[i][value], (size_t)res->rounds, STATS_SEED, &s);

	if (r < 0)
		return r;
	report_set_number(t, name, s.median / US_PER_MS);
	report_set_interval(t, name, s.ci_low / US_PER_MS, s.ci_high / US_PER_MS);
	return 0;
}

/* Two rows for each case: read, then mapped. */
static int add_restore(struct report *t, const void *results, size_t row)
{
	const struct sharing_results *res = results;
	const size_t i = row / 2;
	const bool lazy = row % 2;
	int r;

	if (sharing_what(i) != SHARING_SNAPSHOT || !takes_part(res, i))
		return 0;
	report_set_number(t, "set", begin_row(t, res, i).set);
	report_set_text(t, "how", lazy ? "mapped" : "read");
	if (!reason(res, i))
		set_counts(t, res, i, lazy ? RESTORE_LAZY_EXITS : RESTORE_EXITS, 1, "exits", "shadow_events");
	if (reason(res, i) || bench_times_na(res->plan->host)) {
		report_set_rest_na(t, reason(res, i) ? reason(res, i) : bench_times_na(res->plan->host));
		return 0;
	}
	r = set_time(t, res, i, lazy ? RESTORE_LAZY_FIRST : RESTORE_FIRST, "first");
	if (r == 0)
		r = set_time(t, res, i, lazy ? RESTORE_LAZY_SWEPT : RESTORE_SWEPT, "swept");
	report_set_number(t, "n", res->rounds);
	return r;
}

/* What share of the memory of all guests they need less together. */
static double saved(const struct sharing_results *res, size_t i)
{
	const double alone = median(res, i, GUESTS_ALONE);

	return alone ? 1 - median(res, i, GUESTS_TOGETHER) / alone : 0;
}

/* All guests together need what one does. */
static double of_ideal(const struct sharing_results *res, size_t i)
{
	const unsigned n = sharing_guest_size(sharing_what(i), res->plan->quick).guests;

	return saved(res, i) * n / (n - 1);
}

static int add_guests(struct report *t, const void *results, size_t i)
{
	const struct sharing_results *res = results;
	struct sharing_guest_size size;

	if (sharing_what(i) == SHARING_SNAPSHOT || !takes_part(res, i))
		return 0;
	size = begin_row(t, res, i);
	report_set_text(t, "how", sharing_what(i) == SHARING_DEDUP ? "dedup" : "restore --lazy");
	report_set_number(t, "guests", size.guests);
	report_set_number(t, "set", size.set);
	if (reason(res, i)) {
		report_set_rest_na(t, reason(res, i));
		return 0;
	}
	report_set_number(t, "alone", median(res, i, GUESTS_ALONE) / KIB);
	report_set_number(t, "together", median(res, i, GUESTS_TOGETHER) / KIB);
	report_set_number(t, "saved", saved(res, i) * PERCENT);
	report_set_number(t, "of_ideal", of_ideal(res, i) * PERCENT);
	set_counts(t, res, i, GUESTS_EXITS, size.guests, "exits", "shadow_events");
	report_set_number(t, "n", res->rounds);
	if (bench_times_na(res->plan->host))
		report_set_rest_na(t, bench_times_na(res->plan->host));
	else
		report_set_number(t, "time", median(res, i, GUESTS_TIME) / US_PER_S);
	return 0;
}

/* With `rows` for each case; no table if no mode takes part. */
static int build(const struct report_layout *layout, const struct sharing_results *res, size_t rows,
                 int (*add)(struct report *t, const void *results, size_t row), struct report **ret_table)
{
	if (takes_part(res, 0) || takes_part(res, SHARING_GUEST_CASES - 1))
		return report_build(layout, res, rows * SHARING_GUEST_CASES, add, ret_table);
	*ret_table = NULL;
	return 0;
}

int sharing_report_snapshot(const void *results, struct report **ret_table)
{
	return build(&snapshot_layout, results, 1, add_snapshot, ret_table);
}

int sharing_report_restore(const void *results, struct report **ret_table)
{
	return build(&restore_layout, results, 2, add_restore, ret_table);
}

int sharing_report_guests(const void *results, struct report **ret_table)
{
	return build(&guests_layout, results, 1, add_guests, ret_table);
}

void sharing_guests_explain(const struct sharing_results *res, FILE *to)
{
	for (size_t i = 0; i < SHARING_GUEST_CASES; i++) {
		const char *name = bench_environments[sharing_where(i)].name;
		double times;

		if (!takes_part(res, i) || reason(res, i))
			continue;
		if (sharing_what(i) == SHARING_DEDUP)
			fprintf(to, "Merged, the guests of %s save %.0f %% of the ideal%s.\n", name,
			        of_ideal(res, i) * PERCENT,
			        of_ideal(res, i) * PERCENT < DEDUP_BAR ? ": less than 85 %" : "");
		if (sharing_what(i) != SHARING_SNAPSHOT || bench_times_na(res->plan->host))
			continue;
		times = median(res, i, SNAPSHOT_FULL) / median(res, i, SNAPSHOT_SINCE);
		fprintf(to, "A save of what %s wrote since is %.0f times as fast as a full one%s.\n", name, times,
		        times < SINCE_BAR && !res->plan->quick ? ": less than 10 times" : "");
	}
	if (takes_part(res, 0) || takes_part(res, SHARING_GUEST_CASES - 1))
		fputs("Files are read from the host's cache of pages, in which they lie since they were written.\n"
		      "Exits and shadow events are those of the guest while it is saved, and until it has touched its "
		      "working\n"
		      "set: its console is in them, a character for each 64 pages. Fingerprints are of memory that no "
		      "guest runs in.\n",
		      to);
}
