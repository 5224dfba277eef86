/* SPDX-License-Identifier: MIT */
/* What a column of a result is to a comparison. */
#ifndef GNOMON_BENCH_COMPARE_RULE_H
#define GNOMON_BENCH_COMPARE_RULE_H

#include <stdbool.h>

enum compare_role {
	COMPARE_KEY,   /* tells rows apart */
	COMPARE_VALUE, /* is measured, and compared */
	COMPARE_NOTE,  /* neither */
};

struct compare_rule {
	const char *table, *column; /* patterns of fnmatch(3) */
	const char *unit;           /* NULL: any, and none */
	enum compare_role role;
	bool more_is_better;
	bool told;    /* beside each other, without a judgement: two runs differ by more than an interval says */
	double grain; /* a smaller difference is none */
};

/*
 * The rule for a column; `unit` NULL: it has none. A column that has an interval is measured even if no rule names it.
 */
const struct compare_rule *compare_rule_of(const char *table, const char *column, const char *unit, bool has_interval);

#endif
