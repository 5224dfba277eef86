/* SPDX-License-Identifier: MIT */
/* `gnomon bench --only nano`: what it counts, and that each row has its figures. It runs each case once. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "run_gnomon.h"

static struct run r;

TestSuite(bench_nano, .init = need_kvm);

/* Exits of one operation in shadow mode, by the events that the row's words name. */
static const struct {
	const char *operation;
	const char *options;
	double exits;
} expected[] = {
    {"syscall", "all", 2},
    {"in", "all", 1},
    {"cr8wr", "all", 1},
    {"callret", "all", 0},
    {"callret-user", "all", 0},
    {"pgfault", "all", 2},
    {"divzero", "all", 2},
    {"ptemod", "all", 0},
    {"ptemod", "all but flood, unsync", 1},
    {"hypercall", "all", 1},
    {"protfault", "all", 2},
    {"demand-fill", "all", 4}, /* #PF, CR2, IRETQ, and #PF again */
    {"munmap", "all", 5},      /* INT3, the table opens, CR3, IRETQ, #PF */
    {"munmap", "all but flood, unsync", 64 + 3},
    {"mprotect", "all but flood, unsync", 64 + 3},
    {"ctx-2", "all", 3}, /* INT3, CR3, IRETQ */
    {"ctx-64", "all", 3},
};

static double figure(const json_t *row, const char *key)
{
	const json_t *value = json_object_get(row, key);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

static bool has(const json_t *row, const char *key, const char *words)
{
	return strcmp(json_string_value(json_object_get(row, key)), words) == 0;
}

static void check_exits(const json_t *rows, size_t n)
{
	const json_t *row;
	size_t i, found = 0;

	json_array_foreach (rows, i, row) {
		if (!has(row, "operation", expected[n].operation) || !has(row, "options", expected[n].options))
			continue;
		found++;
		/* demand-fill opens a leaf table for every 256 pages. */
		cr_expect_float_eq(figure(row, "exits"), expected[n].exits, 0.01, "%s, %s: %g", expected[n].operation,
		                   expected[n].options, figure(row, "exits"));
	}
	cr_expect_eq(found, 1, "%s, %s", expected[n].operation, expected[n].options);
}

Test(bench_nano, bench_counts)
{
	const json_t *tables, *rows, *row;
	json_t *root;
	size_t i;

	run_gnomon(&r, "bench", "--only", "nano", "--paging", "shadow", "--runs", "1", "--json", "-");
	expect_status(&r, 0);
	root = json_loads(r.out, 0, NULL);
	tables = json_object_get(root, "tables");
	cr_assert_eq(json_array_size(tables), 3);
	rows = json_object_get(json_array_get(tables, 0), "rows");
	json_array_foreach (rows, i, row)
		cr_expect(figure(row, "time") > 0 || json_object_get(json_object_get(row, "na"), "time"), "row %zu", i);
	for (size_t n = 0; n < sizeof(expected) / sizeof(*expected); n++)
		check_exits(rows, n);
	cr_expect_float_eq(figure(json_array_get(json_object_get(json_array_get(tables, 2), "rows"), 0), "theirs_pvm"),
	                   0.29, 1e-9);
	json_decref(root);
}

/* In nested mode the guest's checks hold, too: the kernel handles each fault, and no space sees another's memory. */
Test(bench_nano, nested)
{
	static const char *const rows[] = {"pgfault", "divzero", "demand-fill", "munmap", "fork-32", "ctx-64"};
	char guest[4096];

	snprintf(guest, sizeof(guest), "%s", build_path("guest/cost.elf"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		run_gnomon(&r, "run", "--paging", "nested", "--memory", "128M", guest, "--", rows[i], "8", "8", "2");
		expect_status(&r, 0);
	}
}
