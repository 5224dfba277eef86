/* SPDX-License-Identifier: MIT */
/*
 * `gnomon bench --only sharing`, its guests: they are saved, restored and merged, and share what they should; and `fork`.
 * What was counted, no times.
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "run_gnomon.h"

static struct run r;

TestSuite(bench_sharing, .init = need_kvm);

static double figure(const json_t *rows, size_t row, const char *key)
{
	const json_t *value = json_object_get(json_array_get(rows, row), key);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

static const json_t *rows_of(const json_t *tables, size_t i, size_t n)
{
	const json_t *rows = json_object_get(json_array_get(tables, i), "rows");

	cr_assert_eq(json_array_size(rows), n, "%zu of table %zu", json_array_size(rows), i);
	return rows;
}

Test(bench_sharing, bench_guests_share)
{
	const json_t *rows, *tables;
	json_t *root;

	/* By which meson has malloc() write to all that it gives: then guests have memory that they never touched. */
	unsetenv("MALLOC_PERTURB_");
	run_gnomon(&r, "bench", "--only", "sharing", "--quick", "--paging", "shadow", "--runs", "1", "--json", "-");
	expect_status(&r, 0);
	root = json_loads(r.out, 0, NULL);
	tables = json_object_get(root, "tables");
	cr_assert_eq(json_array_size(tables), 5);
	rows = rows_of(tables, 2, 1);
	cr_expect_gt(figure(rows, 0, "full_size"), 16, "the working set alone is 16 MiB: %s", r.out);
	cr_expect_lt(figure(rows, 0, "since_size"), 1, "%s", r.out);
	cr_expect_gt(figure(rows, 0, "exits_full"), 0, "it prints while it is saved: %s", r.out);
	rows = rows_of(tables, 3, 2);
	for (size_t i = 0; i < 2; i++)
		cr_expect(figure(rows, i, "n") == 1 || json_object_get(json_array_get(rows, i), "na"), "%s", r.out);
	rows = rows_of(tables, 4, 2);
	for (size_t i = 0; i < 2; i++)
		cr_expect(figure(rows, i, "of_ideal") > 60 && figure(rows, i, "of_ideal") < 101, "%s", r.out);
	for (size_t i = 0; i < 2; i++)
		cr_expect(figure(rows, i, "exits") > 0 && figure(rows, i, "shadow_events") > 0, "%s", r.out);
	json_decref(root);
}

/* A fork that shares costs the same whatever the size; one that copies costs by the tables that it copies. */
Test(bench_sharing, bench_fork_counts)
{
	const json_t *rows;
	json_t *root;

	run_gnomon(&r, "bench", "--only", "fork", "--quick", "--paging", "shadow", "--runs", "1", "--json", "-");
	expect_status(&r, 0);
	root = json_loads(r.out, 0, NULL);
	rows = rows_of(json_object_get(root, "tables"), 0, 4); /* 16 MiB shared and copied, 64 MiB likewise */
	cr_expect_gt(figure(rows, 0, "exits"), 0, "%s", r.out);
	cr_expect_float_eq(figure(rows, 2, "exits"), figure(rows, 0, "exits"), figure(rows, 0, "exits") / 4, "%s",
	                   r.out);
	cr_expect_gt(figure(rows, 1, "exits"), figure(rows, 0, "exits"), "%s", r.out);
	cr_expect_gt(figure(rows, 3, "exits"), figure(rows, 1, "exits") * 2, "24 tables more: %s", r.out);
	cr_expect_gt(figure(rows, 3, "shadow_events"), figure(rows, 1, "shadow_events") * 2, "%s", r.out);
	json_decref(root);
}
