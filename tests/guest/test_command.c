/* SPDX-License-Identifier: MIT */
/* The commands that report, as their users and their users' scripts run them: status, streams, and JSON that parses. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../host_kind.h"
#include "run_gnomon.h"

static struct run r;

/* stdout is one JSON object and nothing else. */
static json_t *parse_output(void)
{
	json_error_t error;
	json_t *root = json_loads(r.out, JSON_REJECT_DUPLICATES, &error);

	cr_assert(json_is_object(root), "line %d: %s\n%s", error.line, error.text, r.out);
	return root;
}

static const char *text_at(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	cr_assert(text && *text, "no text '%s'", key);
	return text;
}

/* For people: the second stage that labels every result, what shadow paging needs, and a verdict. */
Test(command, host)
{
	static const char *const words[] = {"second stage", "because", "SYNC_REGS", "libZydis.so", "eady: "};

	need_kvm();
	run_gnomon(&r, "host");
	expect_status(&r, 0);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		cr_expect(strstr(r.out, words[i]), "no '%s' in\n%s", words[i], r.out);
}

/* For scripts: the same facts, typed; `ready` is what `gnomon run` then does. */
Test(command, host_json)
{
	json_t *root;

	need_kvm();
	run_gnomon(&r, "host", "--json");
	expect_status(&r, 0);
	root = parse_output();
	cr_expect_eq(json_integer_value(json_object_get(root, "version")), 1);
	cr_expect(json_is_true(json_object_get(root, "ready")));
	cr_expect(json_is_array(json_object_get(root, "missing")));
	cr_expect(json_is_boolean(json_object_get(json_object_get(root, "decoder"), "found")));
	text_at(json_object_get(root, "second_stage"), "label");
	json_decref(root);
	run_gnomon(&r, "run", guest_path("exit-status-0"));
	expect_status(&r, 0);
}

/* A host without KVM is an answer, not a failure: status 0, not ready, and how to fix it. */
Test(command, host_json_without_kvm)
{
	json_t *root, *missing;

	setenv("GNOMON_KVM_DEVICE", "/nonexistent", 1);
	run_gnomon(&r, "host", "--json");
	expect_status(&r, 0);
	root = parse_output();
	cr_expect(json_is_false(json_object_get(root, "ready")));
	missing = json_array_get(json_object_get(root, "missing"), 0);
	cr_expect(strstr(text_at(missing, "what"), "/nonexistent"));
	text_at(missing, "mend");
	json_decref(root);
}

/* In the emulated machine there is gnomon alone, and a bench would only take its time. */
static void need_bench(void)
{
	need_kvm();
	if (access(build_path("shortest-kvm"), X_OK) < 0)
		cr_skip_test("no shortest-kvm beside gnomon");
}

/* One round of the shortest workload: each table has rows, and the environment says what the numbers depend on. */
Test(command, bench_json)
{
	json_t *root, *environment, *table;
	size_t i;

	need_bench();
	run_gnomon(&r, "bench", "--only", "startup", "--runs", "1", "--seed", "7", "--json", "-");
	expect_status(&r, 0);
	root = parse_output();
	environment = json_object_get(root, "environment");
	text_at(environment, "second_stage");
	cr_expect_eq(json_integer_value(json_object_get(environment, "seed")), 7);
	cr_expect_gt(json_integer_value(json_object_get(environment, "loads")), 0);
	cr_expect_geq(json_array_size(json_object_get(root, "tables")), 1);
	json_array_foreach (json_object_get(root, "tables"), i, table) {
		text_at(table, "name");
		cr_expect_geq(json_array_size(json_object_get(table, "columns")), 1);
		cr_expect_geq(json_array_size(json_object_get(table, "rows")), 1);
	}
	json_decref(root);
}

/* The chase, quick and least: text on stdout. CSV has a header line and one for each row. */
Test(command, bench_text_and_csv)
{
	need_bench();
	run_gnomon(&r, "bench", "--quick", "--runs", "1", "--paging", "nested");
	expect_status(&r, 0);
	cr_expect(strstr(r.out, "second stage: ") && strstr(r.out, "native") && strstr(r.out, "nested"), "%s", r.out);
	run_gnomon(&r, "bench", "--only", "startup", "--runs", "1", "--csv", "-");
	expect_status(&r, 0);
	cr_expect(strchr(r.out, ',') && strchr(r.out, '\n') < r.out + r.out_len - 1, "%s", r.out);
}

/* All environments come to the same lines, or the run says so; two turns are enough for that. */
Test(command, bench_miss)
{
	const size_t environments = 5; /* the loop written by hand, native twice, and two guests */
	json_t *all, *table, *row;
	size_t i;

	need_bench();
	run_gnomon(&r, "bench", "--only", "miss", "--quick", "--runs", "2", "--json", "-");
	cr_assert_eq(r.status, 0, "%s", r.err);
	all = json_loads(r.out, 0, NULL);
	table = json_object_get(json_array_get(json_object_get(all, "tables"), 0), "rows");
	cr_expect_eq(json_array_size(table), 2 * 5 * environments);
	json_array_foreach (table, i, row) {
		cr_expect_gt(json_number_value(json_object_get(row, "load")), 0.0);
		cr_expect_eq(json_integer_value(json_object_get(row, "n")) + json_real_value(json_object_get(row, "n")),
		             2);
		if (i % environments)
			cr_expect_gt(json_number_value(json_object_get(row, "ratio")), 0.0);
		/* A guest's page counts as it lies in the arena, which is not as the rest of its memory. */
		if (on_pvm())
			cr_expect_eq(json_number_value(json_object_get(row, "walk_refs_low")),
			             i < 5 * environments ? 4 : 3);
	}
	table = json_object_get(json_array_get(json_object_get(all, "tables"), 1), "rows");
	cr_expect_eq(json_array_size(table), 2 * 4 * environments);
	json_array_foreach (table, i, row) {
		cr_expect_gt(json_number_value(json_object_get(row, "load")), 0.0);
		cr_expect_eq(json_is_number(json_object_get(row, "step")), i % 4 != 0);
	}
	json_decref(all);
}

/* All environments do the operations of all applications, and read the same in memory, or the run fails. */
Test(command, bench_apps)
{
	const size_t environments = 4, applications = 4;
	json_t *all, *table, *row;
	size_t i;

	need_bench();
	run_gnomon(&r, "bench", "--only", "apps", "--quick", "--runs", "2", "--ws", "4M", "--backing", "4k,thp",
	           "--pages", "4k", "--json", "-");
	cr_assert_eq(r.status, 0, "%s", r.err);
	all = json_loads(r.out, 0, NULL);
	table = json_object_get(json_array_get(json_object_get(all, "tables"), 0), "rows");
	cr_expect_eq(json_array_size(table), applications * 2 * environments);
	json_array_foreach (table, i, row) {
		cr_expect_gt(json_number_value(json_object_get(row, "time")), 0.0, "row %zu", i);
		cr_expect_eq(json_number_value(json_object_get(row, "pages")), 1024);
		cr_expect_eq(json_is_number(json_object_get(row, "ratio")), i % environments != 0);
	}
	json_decref(all);
	run_gnomon(&r, "bench", "--only", "apps", "--ws", "1M..128M:x2", "--pages", "4k,2m,1g", "--backing",
	           "4k,thp,hugetlb2m");
	cr_expect_neq(r.status, 0);
	cr_expect(strstr(r.err, " cases at most: choose fewer sizes"), "%s", r.err);
}

/* The page has the tables of the text, and takes its place on stdout. */
Test(command, bench_html)
{
	need_bench();
	run_gnomon(&r, "bench", "--only", "miss", "--quick", "--runs", "2", "--paging", "shadow", "--html", "-");
	cr_assert_eq(r.status, 0, "%s", r.err);
	cr_expect_eq(strncmp(r.out, "<!DOCTYPE html>", 15), 0);
	cr_expect(strstr(r.out, "<h2 id=\"miss\">") && strstr(r.out, "In shadow mode a load in 65536 pages takes ") &&
	          strstr(r.out, "Table levels: 32 rows") && strstr(r.out, "<figure>"));
	run_gnomon(&r, "bench", "--only", "miss", "--html", "-", "--json", "-");
	expect_refusal(&r, 2, "--json and --html cannot both go to stdout");
}

/* Scripts take the names from here. Nothing is run, and no KVM is asked for. */
Test(command, bench_list)
{
	setenv("GNOMON_KVM_DEVICE", "/nonexistent", 1);
	run_gnomon(&r, "bench", "--list");
	expect_status(&r, 0);
	cr_expect(strstr(r.out, "miss ") && strstr(r.out, "\nenclave ") && strstr(r.out, "\nshadow ") &&
	              strstr(r.out, "\nnative "),
	          "%s", r.out);
}

Test(command, bench_emulated_times_of_a_cpu)
{
	if (on_tcg() || on_bochs())
		cr_skip_test("a program plays this CPU");
	run_gnomon(&r, "bench", "--only", "miss", "--emulated-times");
	expect_refusal(&r, 2, "no program plays this host's CPU");
}

/* Found wrong before minutes are spent. */
Test(command, bench_refuses)
{
	static const struct {
		const char *args[5], *words;
	} wrong[] = {
	    {{"bench", "--only", "nonsense"}, "nonsense"},
	    {{"bench", "--runs", "0"}, "--runs"},
	    {{"bench", "--precision", "0"}, "--precision"},
	    {{"bench", "--only", "chase,nano", "--ws", "1M"}, "--ws: none of the workloads that shall run"},
	    {{"bench", "--aa", "--only", "costs"}, "--aa: none of the workloads that shall run"},
	    {{"bench", "--precision", "51%"}, "--precision"},
	    {{"bench", "--precision", "%"}, "--precision"},
	    {{"bench", "--max-time", "0"}, "--max-time"},
	    {{"bench", "--label", ""}, "--label"},
	    {{"bench", "--label", "a\nb"}, "--label"},
	    {{"bench", "--pages", "3m"}, "--pages: '3m' is not a list of guest pages (4k, 2m, 1g)"},
	    {{"bench", "--backing", "thp,"}, "--backing"},
	    {{"bench", "--ws", "2G"}, "beyond 64K..1G"},
	    {{"bench", "--ws", "4K"}, "beyond 64K..1G"},
	    {{"bench", "--ws", "1M..1000001"}, "whole pages"},
	    {{"bench", "--ws", "2M..1M"}, "neither a size"},
	    {{"bench", "--ws", "1M:x2"}, "neither a size"},
	    {{"bench", "--ws", "1M..8M:x1"}, "the factor"},
	    {{"bench", "--cpu", "1023"}, "may not run on CPU 1023"},
	    {{"bench", "--cpu", "-1"}, "--cpu"},
	    {{"bench", "--image", "/nonexistent"}, "/nonexistent"},
	    {{"bench", "--image", "/etc/passwd", "--only", "startup"}, "image /etc/passwd is not an ELF file"},
	    {{"bench", "--json", "/nonexistent/x"}, "/nonexistent/x"},
	    {{"bench", "word"}, "unexpected argument 'word'"},
	    {{"host", "word"}, "unexpected argument 'word'"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		run_args(&r, wrong[i].args);
		expect_refusal(&r, 2, wrong[i].words);
	}
}
