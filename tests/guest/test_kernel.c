/* SPDX-License-Identifier: MIT */
/* The guest kernel and its programs, from outside: what they print and how they end. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/host.h"
#include "../host_kind.h"
#include "run_gnomon.h"

static struct run r;
static char kernel[4096];

static void find_kernel(void)
{
	need_kvm();
	snprintf(kernel, sizeof(kernel), "%s", build_path("guest/kernel.elf"));
	cr_assert_eq(access(kernel, R_OK), 0, "%s is missing", kernel);
}

TestSuite(kernel, .init = find_kernel);

#define run_program(...) run_gnomon(&r, "run", kernel, "--", __VA_ARGS__)

Test(kernel, hello)
{
	run_program("hello");
	expect_status(&r, 0);
	cr_assert_str_eq(r.out, "hello from gnomon guest\n");
}

/* More memory than lies below the MMIO hole, and the least that a kernel may have to live with. */
Test(kernel, hello_in_any_memory)
{
	static const char *const sizes[] = {"16M", "1G", "5G"};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		if (i == 2 && (uint64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) < 5ull << 30)
			continue; /* refused there, and rightly */
		run_gnomon(&r, "run", "--memory", sizes[i], kernel, "--", "hello");
		expect_status(&r, 0);
		cr_assert_str_eq(r.out, "hello from gnomon guest\n", "with %s", sizes[i]);
	}
}

Test(kernel, hello_on_huge_pages)
{
	run_gnomon(&r, "run", "--backing", "thp", kernel, "--", "hello");
	expect_status(&r, 0);
	cr_assert_str_eq(r.out, "hello from gnomon guest\n");
}

/* Each line of selftest is a behaviour and its verdict; the number of CPUs changes no line. */
Test(kernel, selftest)
{
	static const char *const cpus[] = {"1", "2", "4"};
	char *first = NULL;

	for (size_t i = 0; i < sizeof(cpus) / sizeof(*cpus); i++) {
		run_gnomon(&r, "run", "--cpus", cpus[i], kernel, "--", "selftest");
		expect_status(&r, 0);
		cr_assert(strstr(r.out, "ok"), "no verdicts: %s", r.out);
		cr_assert_null(strstr(r.out, "not ok"), "%s", r.out);
		cr_assert_null(strstr(r.out, "FAIL"), "%s", r.out);
		if (first)
			cr_assert_str_eq(r.out, first, "%s CPUs", cpus[i]);
		else
			first = strdup(r.out);
	}
	free(first);
}

/* Under shadow paging the same image prints the same lines: with no optimisation, each, all, and on several CPUs. */
static void selftest_in_shadow(const char *opts, const char *cpus)
{
	static struct run nested;

	if (!nested.out_len) { /* once a test */
		run_gnomon(&nested, "run", kernel, "--", "selftest");
		expect_status(&nested, 0);
	}
	run_gnomon(&r, "run", "--paging", "shadow", "--audit", "--shadow-opt", opts, "--cpus", cpus, kernel, "--",
	           "selftest");
	expect_status(&r, 0);
	cr_assert_str_eq(r.out, nested.out, "options %s, %s CPUs", opts, cpus);
}

Test(kernel, selftest_in_shadow_without_optimisation)
{
	selftest_in_shadow("none", "1");
}

/* On several CPUs, without the root cache, each drops what the others use: too long where instructions are emulated. */
#define ALONE(name, opt)                                                                                               \
	Test(kernel, selftest_in_shadow_##name##_alone)                                                                \
	{                                                                                                              \
		selftest_in_shadow(opt, on_pvm() ? "2" : "1");                                                         \
	}
ALONE(root_cache, "root-cache")
ALONE(emulate_update, "emulate-update")
ALONE(prefetch, "prefetch")
ALONE(flood, "flood")
ALONE(unsync, "unsync")
ALONE(large, "large")
ALONE(promote, "promote")
ALONE(ad_fast, "ad-fast")
ALONE(lazy, "lazy")

Test(kernel, selftest_in_shadow_with_all_optimisations)
{
	selftest_in_shadow("all", "1");
}

Test(kernel, selftest_in_shadow_on_several_cpus)
{
	selftest_in_shadow("all", "2");
	/* Each CPU's table writes drop what all the others use: minutes where every instruction is emulated. */
	if (on_pvm())
		selftest_in_shadow("none", "4");
}

/* The least memory for shadow tables: frames are used again and again. */
Test(kernel, selftest_in_shadow_with_little_memory)
{
	run_gnomon(&r, "run", "--paging", "shadow", "--shadow-memory", "2M", "--shadow-opt", "none", kernel, "--",
	           "selftest");
	expect_status(&r, 0);
}

/* Mistakes end a run in shadow mode as in nested mode. */
Test(kernel, crashes_in_shadow)
{
	static const struct {
		const char *how;
		int status;
		const char *sentence;
	} crashes[] = {
	    {"triple", 126, "triple fault"},
	    {"hlt", 126, "halted with interrupts off"},
	    {"unmapped", 126, "outside the guest's memory"},
	    {"panic", 99, NULL},
	    {"fault", 114, NULL},
	};

	for (size_t i = 0; i < sizeof(crashes) / sizeof(*crashes); i++) {
		run_gnomon(&r, "run", "--paging", "shadow", kernel, "--", "crash", crashes[i].how);
		if (crashes[i].sentence)
			expect_killed(&r, crashes[i].sentence);
		else
			expect_status(&r, crashes[i].status);
	}
}

Test(kernel, selftest_on_huge_pages)
{
	run_gnomon(&r, "run", "--backing", "thp", "--cpus", "2", kernel, "--", "selftest");
	expect_status(&r, 0);
}

/* The program's status is the run's. */
Test(kernel, exit_status)
{
	run_program("crash", "exit", "7");
	expect_status(&r, 7);
	run_program("crash", "exit", "125");
	expect_status(&r, 125);
}

/* Crashes that only the VMM can end. */
Test(kernel, crash_triple)
{
	run_program("crash", "triple");
	expect_killed(&r, "triple fault");
}

Test(kernel, crash_hlt)
{
	run_program("crash", "hlt");
	expect_killed(&r, "halted with interrupts off");
}

Test(kernel, crash_unmapped)
{
	run_program("crash", "unmapped");
	expect_killed(&r, "at guest physical 0xc0000000");
}

Test(kernel, crash_loop)
{
	run_gnomon(&r, "run", "--timeout", "5", kernel, "--", "crash", "loop");
	expect_killed(&r, "it has not ended within 5 s");
}

Test(kernel, crash_gap)
{
	run_program("crash", "gap");
	if (on_pvm())
		expect_killed(&r, "cannot emulate the instruction at RIP");
	else
		expect_status(&r, 0);
}

/* Crashes that the kernel ends by itself: it says so on the console, and the status is no success. */
Test(kernel, crash_panic)
{
	run_program("crash", "panic");
	cr_assert(r.status > 0 && r.status <= 125, "status %d: %s", r.status, r.err);
	cr_assert(strstr(r.out, "panic"), "%s", r.out);
	cr_assert_str_eq(r.err, "");
}

Test(kernel, crash_overflow)
{
	run_program("crash", "overflow");
	cr_assert(r.status > 0 && r.status <= 125, "status %d: %s", r.status, r.err);
	cr_assert(strstr(r.out, "panic"), "%s", r.out);
}

/* A program's own fault ends the program, with words, not the machine without. */
Test(kernel, crash_fault)
{
	run_program("crash", "fault");
	cr_assert(r.status > 0 && r.status <= 125, "status %d: %s", r.status, r.err);
	cr_assert_str_eq(r.err, "");
	cr_assert_str_neq(r.out, "");
}

/* A program at CPL 3 that never makes a system call is stopped from outside. */
Test(kernel, crash_spin)
{
	run_gnomon(&r, "run", "--timeout", "2", kernel, "--", "crash", "spin");
	expect_killed(&r, "it has not ended within 2 s");
}

Test(kernel, unknown_program)
{
	run_program("no-such-program");
	cr_assert(r.status > 0 && r.status <= 125, "status %d: %s%s", r.status, r.out, r.err);
	cr_assert_str_neq(r.out, "");
}

/* One line for each number of pages and each kind of ring, in the form that the benchmark reads. */
static void chase(const char *page)
{
	static const char *const kinds[] = {"sparse", "dense"};
	const char *line;
	int lines = 0;

	run_program("chase", "16,64", "4096", page);
	expect_status(&r, 0);
	for (line = r.out; *line; line = strchr(line, '\n') + 1) {
		unsigned long long pages, loads, tsc;
		char kind[16], got[8];

		cr_assert_eq(sscanf(line, "chase pages=%llu kind=%15s page=%7s loads=%llu tsc=%llu\n", &pages, kind,
		                    got, &loads, &tsc),
		             5, "%s", line);
		cr_assert_eq(pages, lines < 2 ? 16 : 64);
		cr_assert_str_eq(kind, kinds[lines % 2]);
		cr_assert_str_eq(got, page);
		cr_assert_eq(loads, 4096);
		cr_assert_gt(tsc, 0);
		lines++;
	}
	cr_assert_eq(lines, 4, "%s", r.out);
}

Test(kernel, chase_4k)
{
	chase("4k");
}

Test(kernel, chase_2m)
{
	chase("2m");
}

/* In each mode, and with `auto` that may change it: one line, in the form that the benchmark reads. */
Test(kernel, phases)
{
	static const char *const modes[] = {"nested", "shadow", "auto"};

	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		unsigned long long init, steady, again;

		run_gnomon(&r, "run", "--paging", modes[i], kernel, "--", "phases", "2", "1", "1");
		expect_status(&r, 0);
		cr_assert_eq(sscanf(r.out, "phases init=%llu steady=%llu again=%llu\n", &init, &steady, &again), 3,
		             "%s", r.out);
		cr_assert(init && steady && again, "%s", r.out);
	}
}

/* Host pages of 4 KiB only: so the references of a walk are known beforehand, on whatever second stage. */
Test(kernel, chase_references)
{
	static const char *const modes[] = {"nested", "shadow"};
	struct host_info host;
	const char *want;

	host_read_second_stage(&host);
	want = host.second_stage == HOST_STAGE_UNKNOWN || host.second_stage == HOST_STAGE_NONE ? "\n"
	       : host.second_stage == HOST_STAGE_EPT                                           ? " refs=24-24\n"
	       : host.second_stage != HOST_STAGE_NPT                                           ? " refs=4-4\n"
	       : host_has_cpu_feature(&host, HOST_CPU_LA57)                                    ? " refs=29-29\n"
	                                                                                       : " refs=24-24\n";
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		run_gnomon(&r, "run", "--paging", modes[i], kernel, "--", "chase", "64", "64", "4k");
		expect_status(&r, 0);
		cr_assert(strstr(r.out, want), "%s: %s", modes[i], r.out);
	}
}

/* Pages beyond its memory: the program says so. */
Test(kernel, chase_without_memory)
{
	run_program("chase", "65536", "16", "4k");
	cr_assert_eq(r.status, 1, "status %d: %s%s", r.status, r.out, r.err);
	cr_assert(strstr(r.out, "no memory"), "%s", r.out);
}
