/* SPDX-License-Identifier: MIT */
/*
 * What the events of paging cost in exits and in shadow pages: exact numbers, unlike times, which no test judges. Each
 * is the difference of two runs of guest/cost.elf that differ in their number of operations alone; the table of
 * `gnomon bench --only costs` is made in the same way.
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/host.h"
#include "run_gnomon.h"

static struct run r;

TestSuite(cost, .init = need_kvm);

enum {
	EXITS,
	BUILT,
	FILLS,
	PREFETCHED,
	TABLE_WRITES,
	SPLITS,
	SHOOTDOWNS,
	REMOVED,
	RETURNED,
	COLLAPSES,
	JOINS,
	NR_COUNTS
};

static const char *const names[NR_COUNTS] = {
    "exits",         "shadow_pages_built", "shadow_fills",   "shadow_prefetched", "shadow_table_writes",
    "stage2_splits", "stage2_shootdowns",  "stage2_removed", "stage2_released",   "stage2_collapses",
    "shadow_joins"};

struct counts {
	json_int_t n[NR_COUNTS];
};

static const char *cost_path(void)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s", build_path("guest/cost.elf"));
	return path;
}

static json_int_t counter(const json_t *root, const char *name)
{
	json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(root, "counters"), i, entry) {
		if (strcmp(json_string_value(json_object_get(entry, "name")), name) == 0)
			return json_integer_value(json_object_get(entry, "value"));
	}
	cr_assert_fail("no counter %s", name);
	return -1;
}

/* All counters of a run with `ops` operations, prepared for `most`. */
static struct counts run_counted(const char *paging, const char *opts, const char *row, int most, int ops)
{
	char path[] = "/tmp/gnomon-cost-XXXXXX", most_text[16], ops_text[16];
	int fd = mkstemp(path);
	struct counts c;
	json_t *root;

	cr_assert_geq(fd, 0);
	close(fd);
	snprintf(most_text, sizeof(most_text), "%d", most);
	snprintf(ops_text, sizeof(ops_text), "%d", ops);
	run_gnomon(&r, "run", "--paging", paging, "--shadow-opt", opts, "--memory", "256M", "--timeout", "100",
	           "--stats", path, cost_path(), "--", row, most_text, ops_text, "1");
	expect_status(&r, 0);
	root = json_load_file(path, 0, NULL);
	unlink(path);
	for (int i = 0; i < NR_COUNTS; i++)
		c.n[i] = counter(root, names[i]);
	json_decref(root);
	return c;
}

/* What `to` operations cost more than `from`. */
static struct counts cost_between(const char *paging, const char *opts, const char *row, int from, int to)
{
	struct counts a = run_counted(paging, opts, row, to, from);
	struct counts b = run_counted(paging, opts, row, to, to);

	for (int i = 0; i < NR_COUNTS; i++)
		b.n[i] -= a.n[i];
	return b;
}

/* What `ops` operations cost. */
static struct counts cost(const char *paging, const char *opts, const char *row, int ops)
{
	return cost_between(paging, opts, row, ops, 2 * ops);
}

static bool build_has_option(const char *name)
{
	run_gnomon(&r, "run", "--list-shadow-opts");
	expect_status(&r, 0);
	return strstr(r.out, name);
}

/* The floor is one exit in both modes and at both privilege levels, or no ratio to it means anything. */
Test(cost, floor_is_one_exit)
{
	static const char *const rows[] = {"floor", "floor-user"};

	for (int i = 0; i < 2; i++) {
		cr_assert_eq(cost("nested", "all", rows[i], 64).n[EXITS], 64, "nested %s", rows[i]);
		cr_assert_eq(cost("shadow", "all", rows[i], 64).n[EXITS], 64, "shadow %s", rows[i]);
	}
}

/* A missing entry is one exit and one fill; nothing else is built, neither for the first of its kind. */
Test(cost, fault_is_one_exit)
{
	struct counts c = cost("shadow", "root-cache,emulate-update", "fault", 256);

	cr_assert_eq(c.n[EXITS], 256);
	cr_assert_eq(c.n[FILLS], 256);
	cr_assert_eq(c.n[BUILT], 0);
	cr_assert_eq(c.n[PREFETCHED], 0);
}

/* A table that is none any more is written freely after a few stores. Without flood each store to it is an exit. */
Test(cost, flood_frees_a_former_table)
{
	const struct counts with = cost("shadow", "root-cache,emulate-update,flood", "table-data", 8);
	const struct counts without = cost("shadow", "root-cache,emulate-update", "table-data", 8);

	cr_expect_leq(with.n[EXITS], 8 * 12, "%lld", with.n[EXITS]);
	cr_expect_geq(without.n[EXITS], 8 * 64, "%lld", without.n[EXITS]);
}

/* D missing is one exit, whoever sets it. */
Test(cost, first_write_is_one_exit)
{
	cr_expect_eq(cost("shadow", "all", "first-write", 128).n[EXITS], 128);
	cr_expect_eq(cost("shadow", "root-cache,emulate-update", "first-write", 128).n[EXITS], 128);
}

/* A CR3 load that hits the root cache is the trap of the instruction and nothing more. */
Test(cost, cr3_load_builds_nothing)
{
	struct counts c = cost("shadow", "all", "cr3-load", 64);

	cr_assert_eq(c.n[EXITS], 64);
	cr_assert_eq(c.n[BUILT], 0);
	cr_assert_eq(c.n[FILLS], 0);
	c = cost("shadow", "none", "cr3-load", 64);
	cr_assert_geq(c.n[BUILT], 64, "the same guest, without the root cache, does build");
}

/* Each write to a protected table is one exit, its shadow entry brought up to date in it. */
Test(cost, table_write_is_one_exit)
{
	struct counts c = cost("shadow", "root-cache,emulate-update,prefetch", "table-write", 256);

	cr_assert_eq(c.n[EXITS], 256);
	cr_assert_eq(c.n[TABLE_WRITES], 256);
	cr_assert_eq(c.n[BUILT], 0);
}

/* With prefetch a whole table of 512 pages comes with the first fault, and that with one shadow page. */
Test(cost, prefetch_is_one_exit)
{
	struct counts c = cost("shadow", "all", "touch-4k", 8);

	cr_assert_eq(c.n[EXITS], 8);
	cr_assert_eq(c.n[BUILT], 8);
	cr_assert_eq(c.n[PREFETCHED], 8 * 511);
	c = cost("shadow", "root-cache,emulate-update", "touch-4k", 2);
	cr_assert_eq(c.n[EXITS], 2 * 512, "and without it each page with its own");
}

/* An unsync table: one exit for its first write, one for the flush, one at most to use it again. */
Test(cost, unsync_table_flush)
{
	if (!build_has_option("unsync"))
		cr_skip_test("no such option");
	cr_assert_leq(cost("shadow", "all", "table-flush", 8).n[EXITS], 3 * 8);
}

/* Without any optimisation the flush of a rewritten table is still right: the guest checks what it reads. */
Test(cost, table_flush_is_right)
{
	(void)run_counted("shadow", "none", "table-flush", 2, 2);
	(void)run_counted("shadow", "all", "table-flush", 16, 16);
	(void)run_counted("nested", "all", "table-flush", 4, 4);
}

/* In nested mode none of this leaves KVM. */
Test(cost, nested_has_no_exits)
{
	static const char *const rows[] = {"fault", "cr3-load", "invlpg", "table-write"};

	for (int i = 0; i < 4; i++)
		cr_assert_eq(cost("nested", "all", rows[i], 256).n[EXITS], 0, "%s", rows[i]);
}

/* Interrupts and system calls: entry and return are an exit each, and the guest counts that none is lost. */
Test(cost, entry_and_return)
{
	cr_assert_eq(cost("shadow", "all", "syscall", 64).n[EXITS], 2 * 64);
	cr_assert_eq(cost("shadow", "all", "interrupt", 64).n[EXITS], 2 * 64);
}

/*
 * Three requests, for 256 pages an exit or less. A CPU need not be in the guest when it is shot down: each of the four
 * shootdowns costs either run up to two exits or none.
 */
static void balloon_counts(const char *paging)
{
	struct counts c = cost_between(paging, "all", "reclaim-4k", 1024, 4096);

	cr_assert_eq(c.n[REMOVED], 3072);
	cr_assert_eq(c.n[SHOOTDOWNS], 3, "one a request");
	cr_assert_leq(c.n[EXITS], 3072 / 256);
	c = cost_between(paging, "all", "return-4k", 1024, 4096);
	cr_assert_eq(c.n[RETURNED], 3072);
	cr_assert_leq(c.n[EXITS], 3072 / 256);
	c = cost(paging, "all", "reclaim-2m", 16);
	cr_assert_eq(c.n[REMOVED], 16 * 512);
	cr_assert_eq(c.n[SHOOTDOWNS], 1);
}

static void slice_counts(const char *paging)
{
	struct counts c = cost(paging, "all", "slice-split", 4);

	cr_assert_eq(c.n[SPLITS], 4);
	cr_assert_eq(c.n[REMOVED], 4 * 16);
	c = cost(paging, "all", "slice-zap", 4);
	cr_assert_eq(c.n[SPLITS], 0, "it takes 2 MiB whole");
	cr_assert_eq(c.n[RETURNED], 4 * 496);
}

/* All 96 blocks of the arena are touched first: too long for an emulated machine. */
static void hole_counts(const char *paging)
{
	struct counts c = run_counted(paging, "all", "load-holes", 16, 16);
	cr_assert_eq(c.n[SPLITS], 96);
	cr_assert_eq(c.n[COLLAPSES], 0);
	cr_assert_eq(c.n[JOINS], 0);
	c = run_counted(paging, "all", "load-joined", 16, 16);
	cr_assert_eq(c.n[SPLITS], 96);
	cr_assert_eq(c.n[COLLAPSES], 96);
	cr_assert_eq(c.n[JOINS], strcmp(paging, "shadow") == 0 ? 96 : 0, "2 MiB are one shadow entry again");
}

/* Single pages share requests and shootdowns, an exit is for 256 pages or more; all that is taken is counted. */
Test(cost, balloon_shares_exits)
{
	balloon_counts("nested");
	balloon_counts("shadow");
}

/* A slice is one split; taking all and giving the rest back is none. */
Test(cost, balloon_splits)
{
	slice_counts("nested");
	slice_counts("shadow");
}

/* Host pages of 4 KiB, and holes that keep the shadow from large ones: on any host one length for all walks. */
Test(cost, walks_through_holes)
{
	static const char *const modes[] = {"nested", "shadow"};
	struct host_info host;
	char want[128];
	int refs = 4;

	host_read_second_stage(&host);
	if (host.second_stage == HOST_STAGE_EPT || host.second_stage == HOST_STAGE_NPT)
		refs = host.second_stage == HOST_STAGE_NPT && host_has_cpu_feature(&host, HOST_CPU_LA57) ? 29 : 24;
	if (host.second_stage == HOST_STAGE_UNKNOWN)
		cr_skip_test("the second stage is not known");
	snprintf(want, sizeof(want), " low=%020d high=%020d ", refs, refs);
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		run_counted(modes[i], "all", "walks-4k-holes", 16, 16);
		cr_assert(strstr(r.out, want), "%s: %s", modes[i], r.out);
	}
}

/* A hole in each 2 MiB splits each, and once they are back all are whole again, in the shadow, too. */
Test(cost, bench_load_holes)
{
	hole_counts("nested");
	hole_counts("shadow");
}

/* Words that are not a row and its numbers end the guest before it does anything. */
Test(cost, wrong_words)
{
	static const char *const wrong[][4] = {
	    {"nothing", "8", "8", "1"},       {"floor", "8", "8", "x"},     {"floor", "8", "16", "1"},
	    {"floor", "8", "7", "1"},         {"touch-4k", "33", "8", "1"}, {"floor", "8", "8", "0"},
	    {"floor", "1024", "1024", "999"}, {"floors", "8", "8", "1"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		run_gnomon(&r, "run", "--memory", "128M", cost_path(), "--", wrong[i][0], wrong[i][1], wrong[i][2],
		           wrong[i][3]);
		expect_status(&r, 2);
	}
}

static const json_t *bench_row(const json_t *table, const char *operation, const char *where, const char *options)
{
	const json_t *row;
	size_t i;

	json_array_foreach (json_object_get(table, "rows"), i, row) {
		if (strcmp(json_string_value(json_object_get(row, "operation")), operation) == 0 &&
		    strcmp(json_string_value(json_object_get(row, "environment")), where) == 0 &&
		    strncmp(json_string_value(json_object_get(row, "options")), options, strlen(options)) == 0)
			return row;
	}
	cr_assert_fail("no row %s, %s, %s", operation, where, options);
	return NULL;
}

static double figure(const json_t *row, const char *key)
{
	const json_t *value = json_object_get(row, key);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

/* The benchmark counts the same, labels each row with the host's second stage, and has a reason for each n/a. */
Test(cost, bench_table)
{
	const json_t *table, *row;
	json_t *root;
	size_t i;

	if (access(build_path("shortest-kvm"), X_OK) < 0)
		cr_skip_test("no shortest-kvm beside gnomon");
	run_gnomon(&r, "bench", "--only", "costs", "--runs", "1", "--json", "-");
	expect_status(&r, 0);
	root = json_loads(r.out, 0, NULL);
	cr_assert_not_null(root);
	table = json_array_get(json_object_get(root, "tables"), 0);
	cr_assert_str_eq(json_string_value(json_object_get(table, "name")), "costs");
	json_array_foreach (json_object_get(table, "rows"), i, row) {
		cr_assert_gt(strlen(json_string_value(json_object_get(row, "second_stage"))), 0);
		cr_assert(figure(row, "time") > 0 || json_object_get(json_object_get(row, "na"), "time"), "row %zu", i);
	}
	cr_assert_gt(i, 20);
	row = bench_row(table, "cr3-load", "shadow", "all");
	cr_assert_float_eq(figure(row, "exits"), 1, 1e-9);
	cr_assert_float_eq(figure(row, "pages_built"), 0, 1e-9);
	cr_assert_float_eq(figure(bench_row(table, "table-write", "shadow", "all but"), "exits"), 1, 1e-9);
	cr_assert_float_eq(figure(bench_row(table, "touch-4k", "shadow", "all"), "exits"), 1, 1e-9);
	cr_assert_float_eq(figure(bench_row(table, "fault", "nested", "-"), "exits"), 0, 1e-9);
	table = json_array_get(json_object_get(root, "tables"), 1);
	cr_assert_str_eq(json_string_value(json_object_get(table, "name")), "costs-ratio");
	json_decref(root);
}

/* Each row of the balloon's table is there and has its figures, or the reason why one is missing. */
Test(cost, bench_balloon_table)
{
	const json_t *table, *row;
	json_t *root;
	size_t i, natives = 0;

	if (access(build_path("shortest-kvm"), X_OK) < 0)
		cr_skip_test("no shortest-kvm beside gnomon");
	run_gnomon(&r, "bench", "--only", "balloon", "--paging", "nested", "--runs", "1", "--json", "-");
	expect_status(&r, 0);
	root = json_loads(r.out, 0, NULL);
	table = json_array_get(json_object_get(root, "tables"), 0);
	cr_assert_str_eq(json_string_value(json_object_get(table, "name")), "balloon");
	cr_assert_eq(json_array_size(json_object_get(table, "rows")), 23);
	json_array_foreach (json_object_get(table, "rows"), i, row) {
		const bool native = strcmp(json_string_value(json_object_get(row, "environment")), "native") == 0;
		const json_t *na = json_object_get(row, "na");

		natives += native;
		cr_assert_gt(figure(row, "time"), 0);
		cr_assert_eq(json_is_string(json_object_get(na, "exits")), native);
		cr_assert_neq(json_is_number(json_object_get(row, "rate")),
		              json_is_string(json_object_get(na, "rate")));
	}
	cr_assert_eq(natives, 5);
	json_decref(root);
}
