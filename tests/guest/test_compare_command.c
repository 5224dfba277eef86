/* SPDX-License-Identifier: MIT */
/* gnomon compare and bench --baseline as scripts use them: status, streams, and a sentence for what cannot be used. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run_gnomon.h"

static struct run r;
static char dir[] = "/tmp/gnomon-compare-XXXXXX", old[64], slow[64], other[64], out[64];

static void write_file(char path[64], const char *name, const char *text)
{
	FILE *f;

	snprintf(path, 64, "%s/%s", dir, name);
	f = fopen(path, "w");
	cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

/* A result whose one load takes so long. */
static void write_result(char path[64], const char *name, double ns)
{
	char text[512];

	snprintf(text, sizeof(text),
	         "{\"version\": 1, \"environment\": {\"cpu\": \"%s\"}, \"tables\": [{\"name\": \"chase\", \"columns\": "
	         "[{\"name\": \"pages\"}, {\"name\": \"load\", \"unit\": \"ns\"}], "
	         "\"rows\": [{\"pages\": 64, \"load\": %g}]}]}",
	         name, ns);
	write_file(path, name, text);
}

static void begin(void)
{
	cr_assert(mkdtemp(dir));
	write_result(old, "old.json", 10);
	write_result(slow, "slow.json", 11);
	snprintf(out, sizeof(out), "%s/out", dir);
}

static void end(void)
{
	unlink(old);
	unlink(slow);
	unlink(other);
	unlink(out);
	rmdir(dir);
}

TestSuite(compare_command, .init = begin, .fini = end);

/* What got worse is an exit status of its own; the threshold decides. */
Test(compare_command, status)
{
	run_gnomon(&r, "compare", old, slow);
	expect_status(&r, 3);
	cr_expect(strstr(r.out, "+10.0 %") && strstr(r.out, "worse") && strstr(r.out, "slow.json"), "%s", r.out);
	run_gnomon(&r, "compare", slow, old);
	expect_status(&r, 0);
	cr_expect(strstr(r.out, "better"), "%s", r.out);
	run_gnomon(&r, "compare", "--threshold", "10%", old, slow);
	expect_status(&r, 0);
	run_gnomon(&r, "compare", old, old, slow);
	expect_status(&r, 3);
}

/* The same as JSON, on stdout and in a file beside the text. */
Test(compare_command, json)
{
	json_t *root;

	run_gnomon(&r, "compare", "--json", "-", old, slow);
	expect_status(&r, 3);
	root = json_loads(r.out, JSON_REJECT_DUPLICATES, NULL);
	cr_expect(json_is_true(json_object_get(root, "worse")), "%s", r.out);
	cr_expect_eq(json_array_size(json_object_get(root, "values")), 1u);
	json_decref(root);
	run_gnomon(&r, "compare", "--all", "--json", out, old, old);
	expect_status(&r, 0);
	cr_expect(strstr(r.out, "pages 64"), "%s", r.out);
	root = json_load_file(out, 0, NULL);
	cr_expect(json_is_false(json_object_get(root, "worse")));
	json_decref(root);
}

/* Nobody can read it: never status 0. */
Test(compare_command, lost_output)
{
	char command[256];

	snprintf(command, sizeof(command), "%s compare %s %s >/dev/full 2>/dev/null", build_path("gnomon"), old, old);
	cr_expect_eq(system(command), 1 << 8);
}

Test(compare_command, refuses_files)
{
	static const struct {
		const char *text, *words;
	} wrong[] = {
	    {"", "cut short"},
	    {"{\"version\": 1, \"environment\": {", "cut short"},
	    {"words", "not JSON"},
	    {"{}", "no result of `gnomon bench --json`"},
	    {"{\"version\": 2, \"environment\": {}, \"tables\": []}", "version 2"},
	    {"{\"version\": 1, \"environment\": {}, \"tables\": []}", "no row in common"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		write_file(other, "other", wrong[i].text);
		run_gnomon(&r, "compare", old, other);
		expect_refusal(&r, 1, wrong[i].words);
		expect_refusal(&r, 1, other);
	}
	run_gnomon(&r, "compare", "/nonexistent", old);
	expect_refusal(&r, 1, "/nonexistent");
	run_gnomon(&r, "compare", old, "/dev/zero");
	expect_refusal(&r, 1, "larger than 64 MiB");
}

Test(compare_command, refuses_arguments)
{
	const struct {
		const char *args[6], *words;
	} wrong[] = {
	    {{"compare"}, "files are expected"},
	    {{"compare", old}, "files are expected"},
	    {{"compare", "--threshold", "-1", old, old}, "--threshold"},
	    {{"compare", "--threshold", "1000.1", old, old}, "--threshold"},
	    {{"compare", "--threshold", "nan", old, old}, "--threshold"},
	    {{"compare", "--threshold", "5%%", old, old}, "--threshold"},
	    {{"compare", "--threshold", "", old, old}, "--threshold"},
	    {{"compare", "--json", old, old, slow}, "is compared"},
	    {{"compare", "--json", "/nonexistent/x", old, slow}, "/nonexistent/x"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		run_args(&r, wrong[i].args);
		expect_refusal(&r, 2, wrong[i].words);
	}
}

static const char *input; /* what stdin is */

static void stdin_is_input(void)
{
	dup2(open(input, O_RDONLY), STDIN_FILENO);
}

/* What is compared is not what is written, by whatever name; standard input has one, too. */
Test(compare_command, refuses_to_replace_what_it_reads)
{
	static const char *const names[] = {"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"};

	input = old;
	r.surroundings = stdin_is_input;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		run_gnomon(&r, "compare", "--json", old, names[i], slow);
		expect_refusal(&r, 2, "is compared");
		run_gnomon(&r, "compare", "--json", out, names[i], old);
		expect_status(&r, 0);
	}
}

/* In the emulated machine there is gnomon alone, and a bench would only take its time. */
static void need_bench(void)
{
	need_kvm();
	if (access(build_path("shortest-kvm"), X_OK) < 0)
		cr_skip_test("no shortest-kvm beside gnomon");
}

/* A start as it can be nowhere: whatever this host is, it is worse than no time at all, and better than days. */
static void write_baseline(const char *ms)
{
	char text[512];

	snprintf(text, sizeof(text),
	         "{\"version\": 1, \"environment\": {}, \"tables\": [{\"name\": \"startup\", \"columns\": [{\"name\": "
	         "\"program\"}, {\"name\": \"exit\", \"unit\": \"ms\"}], \"rows\": [{\"program\": \"shortest KVM "
	         "program\", \"exit\": %s}]}]}",
	         ms);
	write_file(other, "other", text);
}

/* Under the tables, or on stderr when stdout has data. */
Test(compare_command, bench_baseline)
{
	json_t *root;

	need_bench();
	write_baseline("1e-9");
	run_gnomon(&r, "bench", "--only", "startup", "--runs", "1", "--baseline", other);
	expect_status(&r, 3);
	cr_expect(strstr(r.out, "this run against") && strstr(r.out, "worse (no interval)"), "%s", r.out);
	run_gnomon(&r, "bench", "--only", "startup", "--runs", "1", "--json", "-", "--baseline", other);
	cr_expect_eq(r.status, 3);
	root = json_loads(r.out, 0, NULL);
	cr_expect(root && strstr(r.err, "this run against"), "%s", r.err);
	json_decref(root);
	write_baseline("1e9");
	run_gnomon(&r, "bench", "--only", "startup", "--runs", "1", "--baseline", other, "--threshold", "5%");
	expect_status(&r, 0);
	cr_expect(strstr(r.out, "better (no interval)"), "%s", r.out);
}

/* Said before anything is measured. */
Test(compare_command, bench_refuses_baseline)
{
	char unmade[96];

	need_bench();
	snprintf(unmade, sizeof(unmade), "%s.new", old);
	write_file(other, "other", "{\"version\": 2, \"environment\": {}, \"tables\": []}");
	run_gnomon(&r, "bench", "--baseline", other);
	expect_refusal(&r, 2, "version 2");
	run_gnomon(&r, "bench", "--baseline", "/nonexistent");
	expect_refusal(&r, 2, "/nonexistent");
	run_gnomon(&r, "bench", "--baseline", old, "--json", old);
	expect_refusal(&r, 2, "is the baseline");
	write_baseline("1");
	run_gnomon(&r, "bench", "--only", "fork,costs", "--baseline", other, "--json", unmade);
	expect_refusal(&r, 2, "it has results of startup, and this run measures costs, fork");
	cr_expect_neq(access(unmade, F_OK), 0, "a file is left");
	write_file(other, "other", "{\"version\": 1, \"environment\": {}, \"tables\": []}");
	run_gnomon(&r, "bench", "--baseline", other);
	expect_refusal(&r, 2, "it has results of nothing, and this run measures miss");
	run_gnomon(&r, "bench", "--threshold", "5");
	expect_refusal(&r, 2, "--baseline");
	run_gnomon(&r, "bench", "--baseline", old, "--threshold", "x");
	expect_refusal(&r, 2, "--threshold");
}
