/* SPDX-License-Identifier: MIT */
/* `gnomon bench --only enclave`: what it counts. It runs each case once, in a live guest with live enclaves. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "run_gnomon.h"

static struct run r;

TestSuite(bench_enclave, .init = need_kvm);

static double figure(const json_t *row, const char *key)
{
	const json_t *value = json_object_get(row, key);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

static const char *words(const json_t *row, const char *key)
{
	return json_string_value(json_object_get(row, key));
}

/* Calls are one exit each, from anywhere and with either kind of monitor; 256 pages take two of ADD, an enclave three more. */
static void check_costs(const json_t *rows)
{
	const json_t *row;
	size_t i;

	cr_assert_eq(json_array_size(rows), 2 + 8 + 2 + 3 * 4);
	json_array_foreach (rows, i, row) {
		const char *operation = words(row, "operation");
		const double exits = figure(row, "exits");

		cr_assert(figure(row, "time") > 0 || json_object_get(json_object_get(row, "na"), "time"), "row %zu", i);
		if (strcmp(words(row, "environment"), "native") == 0)
			cr_assert(isnan(exits));
		else if (strstr(operation, "chase"))
			cr_assert_lt(exits, 1e-3, "%s", operation);
		else if (strcmp(operation, "enclave-build-1m") == 0)
			cr_assert_float_eq(exits, 5 / 256.0, 1e-9);
		else if (!strstr(operation, "build"))
			cr_assert_float_eq(exits, 1, 1e-9, "%s", operation);
	}
}

/* Walks of a live enclave, and of its guest, have the length that the model says. */
static void check_walks(const json_t *rows)
{
	const json_t *row;
	size_t i;

	cr_assert_eq(json_array_size(rows), 2 + 3 * 6);
	json_array_foreach (rows, i, row) {
		cr_assert_float_eq(figure(row, "refs_low"), figure(row, "model"), 1e-9, "row %zu", i);
		cr_assert_float_eq(figure(row, "refs_high"), figure(row, "model"), 1e-9, "row %zu", i);
	}
}

Test(bench_enclave, counts)
{
	const json_t *tables;
	json_t *root;

	if (access(build_path("shortest-kvm"), X_OK) < 0)
		cr_skip_test("no shortest-kvm beside gnomon");
	run_gnomon(&r, "bench", "--only", "enclave", "--quick", "--paging", "nested", "--runs", "1", "--json", "-");
	expect_status(&r, 0);
	root = json_loads(r.out, 0, NULL);
	tables = json_object_get(root, "tables");
	cr_assert_eq(json_array_size(tables), 2);
	check_costs(json_object_get(json_array_get(tables, 0), "rows"));
	cr_assert_str_eq(words(json_array_get(tables, 1), "name"), "enclave-walks");
	check_walks(json_object_get(json_array_get(tables, 1), "rows"));
	json_decref(root);
}
