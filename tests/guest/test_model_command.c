/* SPDX-License-Identifier: MIT */
/* gnomon model as people and scripts use it: tables, status, streams, and a sentence for what cannot be simulated. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process_look.h"
#include "run_gnomon.h"

static struct run r;
static char dir[] = "/tmp/gnomon-model-XXXXXX", in[64], out[64];

static void begin(void)
{
	cr_assert(mkdtemp(dir));
	snprintf(in, sizeof(in), "%s/in", dir);
	snprintf(out, sizeof(out), "%s/out", dir);
}

static void end(void)
{
	run_abandon(&r);
	unlink(in);
	unlink(out);
	rmdir(dir);
}

TestSuite(model_command, .init = begin, .fini = end);

static void write_bytes(const char *text, size_t len)
{
	FILE *f = fopen(in, "w");

	cr_assert(f && fwrite(text, 1, len, f) == len && fclose(f) == 0);
}

/* A value of the first row of a table in r.out. */
static double value(size_t table, const char *column)
{
	json_t *root = json_loads(r.out, 0, NULL), *row, *cell;
	double v;

	row = json_array_get(json_object_get(json_array_get(json_object_get(root, "tables"), table), "rows"), 0);
	cell = json_object_get(row, column);
	cr_assert(json_is_number(cell), "no %s in %s", column, r.out);
	v = json_number_value(cell);
	json_decref(root);
	return v;
}

/* The literature's numbers, by formula and simulated. */
Test(model_command, closed_forms)
{
	static const char *const counts[] = {" 4 ",  " 15 ", " 19 ", " 24 ", " 29 ", " 35 ",
	                                     " 34 ", " 44 ", " 49 ", " 74 ", " 124 "};

	run_gnomon(&r, "model");
	expect_status(&r, 0);
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		cr_expect(strstr(r.out, counts[i]), "no%sin %s", counts[i], r.out);
	cr_expect_not(strstr(r.out, "n/a"));
	run_gnomon(&r, "model", "--json", "-", "--seed", "7");
	expect_status(&r, 0);
	cr_expect_eq(value(0, "simulated_low"), 4);
}

/* More pages than TLBs have entries: each access is a walk, of which a page-walk cache leaves one reference. */
Test(model_command, simulates)
{
	run_gnomon(&r, "model", "--pattern", "stride", "--ws", "64M", "--accesses", "20000", "--designs", "radix4",
	           "--json", "-");
	expect_status(&r, 0);
	cr_expect_eq(value(0, "walks"), 100);
	cr_expect_float_eq(value(0, "refs"), 1, 0.01);
	cr_expect_eq(value(0, "accesses"), 20000);
	cr_expect_eq(value(1, "mapped"), 16384);
	run_gnomon(&r, "model", "--pattern", "uniform,chase", "--ws", "64K..256K:x4", "--accesses", "2000", "--threads",
	           "3");
	expect_status(&r, 0);
	cr_expect(strstr(r.out, "chase") && strstr(r.out, "radix4/radix4") && strstr(r.out, "assumed:"), "%s", r.out);
}

Test(model_command, same_seed_same_tables)
{
	char *first;

	run_gnomon(&r, "model", "--pattern", "zipf,gups", "--ws", "1M", "--accesses", "5000", "--csv", "-", "--threads",
	           "1");
	expect_status(&r, 0);
	first = strdup(r.out);
	run_gnomon(&r, "model", "--pattern", "zipf,gups", "--ws", "1M", "--accesses", "5000", "--csv", "-", "--threads",
	           "4");
	cr_expect_str_eq(r.out, first);
	run_gnomon(&r, "model", "--pattern", "zipf,gups", "--ws", "1M", "--accesses", "5000", "--csv", "-", "--seed",
	           "2");
	cr_expect_str_neq(r.out, first);
	free(first);
}

/* Every size of pages on every other. */
Test(model_command, page_sizes)
{
	static const char *const size[] = {"4k", "2m", "1g"};

	for (int i = 0; i < 9; i++) {
		run_gnomon(&r, "model", "--pattern", "uniform", "--ws", "1G", "--accesses", "3000", "--designs",
		           "radix4,radix4/radix4,shadow,agile:2,linear/radix4", "--pages", size[i / 3], "--host-pages",
		           size[i % 3]);
		expect_status(&r, 0);
		cr_expect_not(strstr(r.out, "could not"), "%s", r.out);
	}
}

/* What a pattern was written as is read as the same. */
Test(model_command, trace_written_and_read)
{
	double refs;

	run_gnomon(&r, "model", "--pattern", "zipf", "--ws", "16M", "--accesses", "30000", "--warm", "0", "--designs",
	           "radix5", "--write-trace", in, "--json", "-");
	expect_status(&r, 0);
	refs = value(0, "refs");
	run_gnomon(&r, "model", "--trace", in, "--designs", "radix5", "--json", "-");
	expect_status(&r, 0);
	cr_expect_eq(value(0, "refs"), refs);
	cr_expect_eq(value(0, "accesses"), 30000);
}

Test(model_command, lackey_from_a_pipe)
{
	char command[512];

	snprintf(command, sizeof(command),
	         "printf '==1== x\\nI  1000,3\\n L 1ffe,8\\n' | %s model --trace - --csv %s >/dev/null",
	         build_path("gnomon"), out);
	cr_expect_eq(system(command), 0);
	snprintf(command, sizeof(command), "grep -q '^model,trace,.*,4k,radix4,2,' %s", out);
	cr_expect_eq(system(command), 0);
}

Test(model_command, shape_of_a_file)
{
	static const char shape[] = "tlb1 = 4k 3 3\nmemory.cycles = 10\n";

	write_bytes(shape, sizeof(shape) - 1);
	run_gnomon(&r, "model", "--shape", in, "--pattern", "stride", "--ws", "64K", "--accesses", "1600", "--designs",
	           "radix4", "--json", "-");
	expect_status(&r, 0);
	cr_expect_eq(value(0, "refs"), 4);
	cr_expect_eq(value(0, "access"), 50);
	run_gnomon(&r, "model", "--shape", in, "--cpu-model", "zen2");
	expect_refusal(&r, 2, "the CPU comes from one of them");
	run_gnomon(&r, "model", "--cpu-model", "zen2", "--shape", in);
	expect_refusal(&r, 2, "the CPU comes from one of them");
}

Test(model_command, list_names_sources)
{
	run_gnomon(&r, "model", "--list");
	expect_status(&r, 0);
	cr_expect(strstr(r.out, "radix4 ") && strstr(r.out, "uniform ") && strstr(r.out, "zen5 ") &&
	              strstr(r.out, "# assumed"),
	          "%s", r.out);
}

/* A design without such addresses has none of the values; the others have theirs. */
Test(model_command, address_out_of_reach)
{
	static const char trace[] = " L 7fffffff0000,8\n";

	write_bytes(trace, sizeof(trace) - 1);
	run_gnomon(&r, "model", "--trace", in, "--designs", "radix4,sv39");
	cr_expect_eq(r.status, 1);
	cr_expect(strstr(r.out, "the page of 0x7fffffff0000 could not be mapped: the design has no such address"), "%s",
	          r.out);
}

/* The tables of a live guest, in any design. */
Test(model_command, tables_of_a_guest)
{
	static struct run guest;
	char socket[80], kernel[256];

	need_kvm();
	snprintf(kernel, sizeof(kernel), "%s", build_path("guest/kernel.elf"));
	snprintf(socket, sizeof(socket), "%s/socket", dir);
	run_start(&guest, (const char *const[]){"run", "--control", socket, kernel, "--", "idle", NULL});
	for (int i = 0; i < 1000 && access(socket, F_OK) < 0; i++)
		usleep(10000);
	run_until(&guest, "idle");
	run_gnomon(&r, "model", "--from", socket, "--designs", "radix4,linear,radix4/radix4", "--accesses", "20000",
	           "--json", "-");
	cr_expect_eq(r.status, 0, "%s%s", r.out, r.err);
	cr_expect_gt(value(1, "mapped"), 20);
	kill(guest.pid, SIGTERM);
	run_finish(&guest);
	unlink(socket);
	run_gnomon(&r, "model", "--from", socket);
	expect_refusal(&r, 1, socket);
}

Test(model_command, lost_output)
{
	char command[256];

	snprintf(command, sizeof(command), "%s model >/dev/full 2>/dev/null", build_path("gnomon"));
	cr_expect_eq(system(command), 1 << 8);
	snprintf(command, sizeof(command),
	         "%s model --pattern stride --ws 1M --accesses 100000 --write-trace /dev/full >/dev/null 2>&1",
	         build_path("gnomon"));
	cr_expect_eq(system(command), 1 << 8);
}

/* ^C while it waits for a trace that does not come, and while it works. */
Test(model_command, interrupted)
{
	cr_assert_eq(mkfifo(in, 0600), 0);
	run_start(&r, (const char *const[]){"model", "--trace", in, NULL});
	await_heed(r.pid, SIGINT);
	usleep(100000);
	kill(r.pid, SIGINT);
	run_finish(&r);
	cr_expect_eq(r.status, 130);
	run_start(&r, (const char *const[]){"model", "--pattern", "uniform", "--ws", "1M", "--accesses",
	                                    "1000000000000", "--warm", "0", NULL});
	await_cpu_time(r.pid, AT_WORK_MS);
	kill(r.pid, SIGINT);
	run_finish(&r);
	cr_expect_eq(r.status, 130);
	cr_expect(strstr(r.err, "interrupted") && strstr(r.out, "uniform"), "%s%s", r.out, r.err);
}

Test(model_command, refuses_traces)
{
	static const struct {
		const char *text;
		size_t len;
		const char *words;
	} wrong[] = {
	    {"", 0, "the trace is empty"},
	    {"words\n", 6, "line 1: this is no access"},
	    {" L 1000,8\n L 20", 15, "line 2: the trace is cut short"},
	    {" L 0100000000000000,8\n", 22, "not canonical"},
	    {"\x93GNTR\r\n\x1a\1\0\0\0\0\0\0\0\1\0\0\0", 20, "offset 16: the trace is cut short"},
	    {"\x7f"
	     "ELF\0\0\0\0\0\0\n",
	     11, "line 1: this is no access"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		write_bytes(wrong[i].text, wrong[i].len);
		run_gnomon(&r, "model", "--trace", in);
		expect_refusal(&r, 2, wrong[i].words);
		expect_refusal(&r, 2, in);
	}
	run_gnomon(&r, "model", "--trace", dir);
	expect_refusal(&r, 2, "Is a directory");
	run_gnomon(&r, "model", "--trace", "/nonexistent");
	expect_refusal(&r, 2, "/nonexistent");
}

Test(model_command, refuses_arguments)
{
	const struct {
		const char *args[8], *words;
	} wrong[] = {
	    {{"model", "words"}, "unexpected argument 'words'"},
	    {{"model", "--designs", ""}, "--designs: a design's name"},
	    {{"model", "--designs", "radix9"}, "--designs: "},
	    {{"model", "--designs", "linear:load=1.0"}, "--designs: "},
	    {{"model", "--designs", "radix4,,radix5"}, "--designs: "},
	    {{"model", "--pattern", "none"}, "--pattern"},
	    {{"model", "--cpu-model", "pentium"}, "--cpu-model"},
	    {{"model", "--cpu-model", "zen2,zen5"}, "one CPU is expected"},
	    {{"model", "--shape", "/nonexistent"}, "/nonexistent"},
	    {{"model", "--shape", "/dev/null"}, "there is no TLB"},
	    {{"model", "--shape", "/dev/zero"}, "longer than 64 KiB"},
	    {{"model", "--pages", "8k"}, "--pages: '8k' is none of 4k, 2m, 1g"},
	    {{"model", "--host-pages", "4K"}, "--host-pages"},
	    {{"model", "--ws", "0"}, "--ws"},
	    {{"model", "--ws", "4097"}, "--ws"},
	    {{"model", "--ws", "2G..1G"}, "--ws"},
	    {{"model", "--ws", "1M..1G:x1"}, "--ws: the factor"},
	    {{"model", "--ws", "128T"}, "--ws"},
	    {{"model", "--pattern", "gups", "--ws", "2G"}, "--ws: gups works in memory, up to 1G"},
	    {{"model", "--accesses", "0"}, "--accesses"},
	    {{"model", "--threads", "0"}, "--threads"},
	    {{"model", "--seed", "-1"}, "--seed"},
	    {{"model", "--trace", "-", "--pattern", "zipf"}, "the addresses come from one of them"},
	    {{"model", "--trace", "-", "--from", "x"}, "the addresses come from one of them"},
	    {{"model", "--write-trace", out}, "--write-trace: one trace"},
	    {{"model", "--json", "-", "--csv", "-"}, "cannot both go to stdout"},
	    {{"model", "--json", "/nonexistent/x"}, "/nonexistent/x"},
	    {{"model", "--trace", in, "--json", in}, "is what shall be read"},
	    {{"model", "--trace", in, "--write-trace", in}, "is what shall be read"},
	};

	write_bytes(" L 1000,8\n", 10);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		run_args(&r, wrong[i].args);
		expect_refusal(&r, 2, wrong[i].words);
	}
}
