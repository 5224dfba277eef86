/* SPDX-License-Identifier: MIT */
/* Whether a value changed, and whether that is good. */
#include <math.h>

#include "bench/compare/compare_parts.h"

static bool overlap(const struct compare_cell *a, const struct compare_cell *b)
{
	return a->low <= b->high && b->low <= a->high;
}

/* Percent of the base; from 0 to anything is infinite. */
static double change_of(double base, double other)
{
	return other == base ? 0 : 100 * (other - base) / fabs(base);
}

static enum compare_verdict verdict_of(const struct compare_rule *rule, const struct compare_cell *base,
                                       const struct compare_cell *other, double threshold)
{
	if (!other->by_threshold && overlap(base, other))
		return COMPARE_NOISE;
	if (fabs(other->change) <= threshold || fabs(other->value - base->value) < rule->grain)
		return COMPARE_WITHIN;
	return (other->value > base->value) == rule->more_is_better ? COMPARE_BETTER : COMPARE_WORSE;
}

void compare_judge(struct compare_item *item, size_t file, double threshold)
{
	const struct compare_cell *base = &item->cell[0];
	struct compare_cell *other = &item->cell[file];

	if (!base->is_there || !other->is_there) {
		other->verdict = base->is_there ? COMPARE_GONE : other->is_there ? COMPARE_NEW : COMPARE_ABSENT;
	} else if (!base->is_measured || !other->is_measured) {
		other->verdict = COMPARE_NOT_MEASURED;
	} else {
		other->by_threshold = !item->rule->told && (!base->has_interval || !other->has_interval);
		other->change = change_of(base->value, other->value);
		other->verdict = item->rule->told ? COMPARE_TOLD : verdict_of(item->rule, base, other, threshold);
	}
}

const char *compare_verdict_name(enum compare_verdict verdict)
{
	static const char *const names[COMPARE_NR_VERDICTS] = {
	    [COMPARE_ABSENT] = "absent",
	    [COMPARE_NOISE] = "same within noise",
	    [COMPARE_WITHIN] = "same within threshold",
	    [COMPARE_TOLD] = "not judged",
	    [COMPARE_WORSE] = "worse",
	    [COMPARE_BETTER] = "better",
	    [COMPARE_NEW] = "new",
	    [COMPARE_GONE] = "gone",
	    [COMPARE_NOT_MEASURED] = "n/a",
	};

	return names[verdict];
}
