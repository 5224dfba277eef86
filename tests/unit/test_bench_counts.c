/* SPDX-License-Identifier: MIT */
/* What the VMM counted of a guest becomes the exits and shadow events of a row. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/counter.h"
#include "bench/workload/counts.h"

#define COUNTER(name, value) "{\"name\": \"" name "\", \"value\": " value "}"

static int parse(const char *json, struct counts *ret)
{
	return counts_parse(json, strlen(json), ret);
}

/*
 * What `gnomon run --stats` writes: `more` comes first, then the shadow's counters but the one called `without`, each being
 * 1 where it is a shadow event, and 1000 where it is not.
 */
static const char *stats(const char *more, const char *without)
{
	static char text[8192];
	size_t n = snprintf(text, sizeof(text), "{\"version\": 1, \"counters\": [%s", more);

	for (int c = CTR_SHADOW_FILLS; c <= CTR_SHADOW_AUDITS; c++)
		if (c != CTR_SHADOW_PAGES_BUILT && strcmp(counter_desc[c].name, without) != 0)
			n += snprintf(text + n, sizeof(text) - n, ", {\"name\": \"%s\", \"value\": %d}",
			              counter_desc[c].name, counter_is_shadow_event(c) ? 1 : 1000);
	snprintf(text + n, sizeof(text) - n, "]}");
	return text;
}

#define BUILT COUNTER("shadow_pages_built", "3")

/* Counters are found by name, wherever they stand; others and their order do not matter. */
Test(bench_counts, counters)
{
	uint64_t events = 3;
	struct counts c;

	cr_assert_eq(parse(stats(BUILT "," COUNTER("exits_io", "9") "," COUNTER("exits", "12"), ""), &c), 0);
	cr_assert_eq(c.exits, 12);
	cr_assert_eq(c.pages_built, 3);
	for (int i = 0; i < CTR_NR; i++)
		events += counter_is_shadow_event(i) && i != CTR_SHADOW_PAGES_BUILT;
	cr_assert_eq(c.shadow_events, events, "levels, prefetched entries and audits are no events");
	cr_assert_gt(events, 10);
}

/* One that is missing, or no number, is not 0. */
Test(bench_counts, missing_or_broken)
{
	static const char *const bad[] = {"", "{", "[]", "{\"counters\": 5}"};
	static const char *const more[] = {
	    COUNTER("exits", "12"),      BUILT, COUNTER("exits", "\"12\"") "," BUILT, COUNTER("exits", "-1") "," BUILT,
	    "{\"value\": 12}, 7," BUILT,
	};
	struct counts c = {.exits = 77};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_assert_eq(parse(bad[i], &c), -EBADMSG, "%s", bad[i]);
	for (size_t i = 0; i < sizeof(more) / sizeof(*more); i++)
		cr_assert_eq(parse(stats(more[i], ""), &c), -EBADMSG, "%s", more[i]);
	cr_assert_eq(parse(stats(COUNTER("exits", "12") "," BUILT, "shadow_syncs"), &c), -EBADMSG);
	cr_assert_eq(c.exits, 77, "untouched on failure");
}

/* A guest counts on: a row has what came between. */
Test(bench_counts, between)
{
	const struct counts before = {.exits = 10, .pages_built = 3, .shadow_events = 7};
	const struct counts after = {.exits = 14, .pages_built = 3, .shadow_events = 9};
	const struct counts c = counts_between(&before, &after);

	cr_expect_eq(c.exits, 4);
	cr_expect_eq(c.pages_built, 0);
	cr_expect_eq(c.shadow_events, 2);
}
