/* SPDX-License-Identifier: MIT */
#include "bench/compare/rule.h"

#include <fnmatch.h>
#include <stddef.h>
#include <string.h>

#define EXITS_GRAIN 0.001 /* per operation: the host's own interrupts */

/* The first that fits. Names of statistics come first, so that what is left without a unit identifies a row. */
static const struct compare_rule rules[] = {
    /* how certain a value is, and its tail */
    {"*", "*_low", NULL, .role = COMPARE_NOTE},
    {"*", "*_high", NULL, .role = COMPARE_NOTE},
    {"*", "*_iqr", NULL, .role = COMPARE_NOTE},
    {"*", "*_p99", NULL, .role = COMPARE_NOTE},
    {"*", "*_max", NULL, .role = COMPARE_NOTE},
    {"*", "n", NULL, .role = COMPARE_NOTE},
    {"*", "disturbed*", NULL, .role = COMPARE_NOTE},
    {"*", "stolen", NULL, .role = COMPARE_NOTE},
    {"*", "noise", NULL, .role = COMPARE_NOTE},
    /* what the host or the run was like, and verdicts */
    {"*", "second_stage", NULL, .role = COMPARE_NOTE},
    {"*", "ratio_to", NULL, .role = COMPARE_NOTE}, /* what the row is says it already */
    {"sharing*", "memory", NULL, .role = COMPARE_KEY},
    {"sharing-*", "set", NULL, .role = COMPARE_KEY},
    {"sharing-guests", "saved", NULL, .role = COMPARE_VALUE, .more_is_better = true},
    {"fork", "memory", NULL, .role = COMPARE_KEY},
    {"fork", "made", NULL, .role = COMPARE_VALUE},
    {"fork", "copied_*", NULL, .role = COMPARE_NOTE},
    {"enclave-walks", "walk", NULL, .role = COMPARE_KEY},
    {"model*", "ws", NULL, .role = COMPARE_KEY}, /* MiB are what was asked for */
    {"model*", "value", NULL, .role = COMPARE_NOTE},
    {"model*", "source", NULL, .role = COMPARE_NOTE},
    {"model*", "accesses", NULL, .role = COMPARE_NOTE},
    {"model*", "mapped", NULL, .role = COMPARE_NOTE},
    {"model*", "at_*", NULL, .role = COMPARE_NOTE},
    {"model*", "tlb2", NULL, .role = COMPARE_NOTE},
    {"model*", "refs*", NULL, .role = COMPARE_VALUE},
    {"model*", "bytes_per_page", NULL, .role = COMPARE_VALUE},
    {"model*", "lines", NULL, .role = COMPARE_VALUE},
    {"model*", "resizes", NULL, .role = COMPARE_VALUE},
    {"model*", "moved", NULL, .role = COMPARE_VALUE},
    {"model", "*", "cycles", .role = COMPARE_VALUE},
    {"model-tables", "*", "KiB", .role = COMPARE_VALUE},
    {"model", "walks", NULL, .role = COMPARE_VALUE},
    {"*", "walk", NULL, .role = COMPARE_NOTE},
    {"*", "bar", NULL, .role = COMPARE_NOTE},
    {"auto", "changes", NULL, .role = COMPARE_NOTE},
    {"auto", "in_shadow", NULL, .role = COMPARE_NOTE},
    {"auto", "ran", NULL, .role = COMPARE_NOTE},
    {"enclave-walks", "second", NULL, .role = COMPARE_NOTE},
    {"enclave-walks", "model", NULL, .role = COMPARE_NOTE},
    /* what others published, and once more what is in table nano, or in another unit */
    {"nano-*", "theirs_*", NULL, .role = COMPARE_NOTE},
    {"nano-*", "ours_*", NULL, .role = COMPARE_NOTE},
    {"nano", "cycles", NULL, .role = COMPARE_NOTE},
    {"walks", "measured_most", NULL, .role = COMPARE_NOTE},
    {"walks", "measured_all", NULL, .role = COMPARE_NOTE},
    {"walks", "walks", NULL, .role = COMPARE_NOTE},
    {"walks", "loads", NULL, .role = COMPARE_NOTE},
    {"walks", "exits", NULL, .role = COMPARE_NOTE},
    /* the descent finds what it finds */
    {"sharing-diff", "compared", NULL, .role = COMPARE_NOTE},
    /* shares of what a process or an algorithm does alone, and of hits */
    {"*", "of_*", NULL, .role = COMPARE_VALUE, .more_is_better = true},
    {"*", "hits_*", NULL, .role = COMPARE_VALUE, .more_is_better = true},
    /* counts and ratios */
    {"*", "ratio", NULL, .role = COMPARE_VALUE},
    {"*", "*_ratio", NULL, .role = COMPARE_VALUE},
    {"*", "floors", NULL, .role = COMPARE_VALUE},
    {"*", "dtlb*", NULL, .role = COMPARE_VALUE, .grain = EXITS_GRAIN},
    /* they depend on how far a guest comes in the time */
    {"switch", "exits", NULL, .role = COMPARE_VALUE, .told = true},
    {"switch", "shadow_events", NULL, .role = COMPARE_VALUE, .told = true},
    {"auto", "exits", NULL, .role = COMPARE_VALUE, .told = true},
    {"auto", "shadow_events", NULL, .role = COMPARE_VALUE, .told = true},
    {"sharing-*", "exits*", NULL, .role = COMPARE_VALUE, .told = true},
    {"sharing-*", "shadow_events*", NULL, .role = COMPARE_VALUE, .told = true},
    {"*", "exits*", NULL, .role = COMPARE_VALUE, .grain = EXITS_GRAIN},
    {"*", "shadow_events*", NULL, .role = COMPARE_VALUE, .grain = EXITS_GRAIN},
    {"*", "pages_built", NULL, .role = COMPARE_VALUE, .grain = EXITS_GRAIN},
    {"*", "*_mean", NULL, .role = COMPARE_VALUE},
    {"*", "cache_*", NULL, .role = COMPARE_VALUE},
    /* each run has other physical pages: the ratios of one run tell (docs/measuring.md) */
    {"miss", "load", NULL, .role = COMPARE_VALUE, .told = true},
    {"levels", "load", NULL, .role = COMPARE_VALUE, .told = true},
    {"levels", "step", NULL, .role = COMPARE_VALUE, .told = true},
    /* rates, times and sizes; KiB are part of what was asked for */
    {"*", "*", "1/s", .role = COMPARE_VALUE, .more_is_better = true},
    {"*", "*", "GiB/s", .role = COMPARE_VALUE, .more_is_better = true},
    {"*", "*", "ns", .role = COMPARE_VALUE},
    {"*", "*", "us", .role = COMPARE_VALUE},
    {"*", "*", "ms", .role = COMPARE_VALUE},
    {"*", "*", "s", .role = COMPARE_VALUE},
    {"*", "*", "%", .role = COMPARE_VALUE},
    {"*", "*", "percent", .role = COMPARE_VALUE},
    {"*", "*", "MiB", .role = COMPARE_VALUE},
    {"*", "*", NULL, .role = COMPARE_KEY},
};
static const struct compare_rule measured = {"*", "*", NULL, .role = COMPARE_VALUE};

static bool fits(const struct compare_rule *rule, const char *table, const char *column, const char *unit)
{
	if (rule->unit && (!unit || strcmp(rule->unit, unit) != 0))
		return false;
	return fnmatch(rule->table, table, 0) == 0 && fnmatch(rule->column, column, 0) == 0;
}

const struct compare_rule *compare_rule_of(const char *table, const char *column, const char *unit, bool has_interval)
{
	const struct compare_rule *rule = rules;

	while (!fits(rule, table, column, unit)) /* the last fits everything */
		rule++;
	return rule->role == COMPARE_KEY && has_interval ? &measured : rule;
}
