/* SPDX-License-Identifier: MIT */
/*
 * Enclaves, and what is done to the run from outside by the control socket and signals. What is protected here: nobody who
 * asks the VMM for memory gets an enclave's, and a loop in an enclave holds up nobody.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enclave_run.h"

#define RESETS 1000

TestSuite(enclave_run, .init = slice_run_init, .fini = slice_run_fini);

/* stop, cont, the other paging mode, a reset, and the end, while an enclave loops. */
static void loop(const char *mode, const char *other)
{
	char to[32];

	snprintf(to, sizeof(to), "mode=%s", other);
	start_enclaves(mode, "1", "loop", "looping\n");
	tell("stop");
	tell("cont");
	ctl("set-paging", to, NULL);
	ctl("set-paging", to, NULL);
	tell("system_reset");
	run_until(&r, "looping\n"); /* CREATE found no enclave */
	tell("stop");
	tell("cont");
	quit();
}

Test(enclave_run, loop_nested)
{
	loop("nested", "shadow");
}

Test(enclave_run, loop_shadow)
{
	loop("shadow", "nested");
}

/* Of an enclave that loops, the walk inside it: two of the third stage before each of its four entries and the data. */
Test(enclave_run, walk)
{
	struct limit limit = {0};
	char address[24];
	const char *base;

	start_enclaves("nested", "1", "loop", "looping\n");
	do { /* what it says comes before ENTER */
		cr_assert_not(limit_over(&limit), "%s", tool.out);
		run_gnomon(&tool, "enclave", "list", "--json", path);
	} while (!strstr(tool.out, "running"));
	base = strstr(tool.out, "\"base\": ");
	cr_assert(base, "%s", tool.out);
	snprintf(address, sizeof(address), "%llu", strtoull(base + 8, NULL, 10));
	run_gnomon(&tool, "walk", path, address);
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "has this address. Inside it the CPU walks its own tables.\n"), "%s", tool.out);
	cr_expect(strstr(tool.out, "\n 14  third        1") && strstr(tool.out, "frame of enclave "), "%s", tool.out);
	cr_expect_not(strstr(tool.out, "\n 15  third"), "%s", tool.out);
	run_gnomon(&tool, "tables", path, "--stage", "enclave", "--address", address);
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "The third stage is one tree of 2 levels for all enclaves.") &&
	              strstr(tool.out, "\nowned    10 of 256 frames\n") && strstr(tool.out, "  running "),
	          "%s", tool.out);
	run_gnomon(&tool, "tables", path, "--stage", "enclave", "--address", "0");
	cr_expect(strstr(tool.out, "owned ") && !strstr(tool.out, "running"), "%s", tool.out);
	quit();
}

Test(enclave_run, loop_interrupted)
{
	start_enclaves("nested", "1", "loop", "looping\n");
	kill(r.pid, SIGINT);
	run_finish(&r);
	cr_expect_eq(r.status, 130);
}

/* A call that was about to begin is none of the next boot's. */
Test(enclave_run, resets_between_calls)
{
	start_enclaves("nested", "1", "flicker", "round\n");
	for (int i = 0; i < RESETS; i++) {
		drain();
		tell("system_reset");
		run_until(&r, "round\n");
	}
	quit();
}

/* FRAME(0) and (1) are enclave 3's, FRAME(2) is its buffer. */
static void slices(const char *mode)
{
	start_enclaves(mode, "1", "loop", "looping\n");
	ctl_refuses("reclaim", "gpa=0x1000000", "size=4K", "belongs to enclave 3");
	ctl_refuses("release", "gpa=0x1000000", "size=4K", "belongs to enclave 3");
	ctl_refuses("reclaim", "gpa=0x1002000", "size=4K", "belongs to enclave 3");
	ctl_refuses("reclaim", "gpa=0xf00000", "size=2M", "belongs to enclave 3");
	ctl("reclaim", "gpa=0x1003000", "size=4K");
	ctl("release", "gpa=0x1003000", "size=4K");
	tell("system_reset");
	run_until(&r, "looping\n");
	quit();
}

Test(enclave_run, slices_nested)
{
	slices("nested");
}

Test(enclave_run, slices_shadow)
{
	slices("shadow");
}

/* What the host took away the guest cannot give to an enclave. */
static void taken(const char *mode)
{
	start_enclaves(mode, "1", "taken", "round\n");
	run_gnomon(&tool, "ctl", path, "reclaim", "gpa=0x101e000", "size=4K");
	while (tool.status) /* the guest gives it and takes it back all the time */
		run_gnomon(&tool, "ctl", path, "reclaim", "gpa=0x101e000", "size=4K");
	run_until(&r, "ok a page that was taken\nround\n");
	quit();
}

Test(enclave_run, page_that_was_taken_nested)
{
	taken("nested");
}

Test(enclave_run, page_that_was_taken_shadow)
{
	taken("shadow");
}

/* Anonymous memory of a process, in KiB: what is mapped from files counts for more when others that have it end. */
static long resident(pid_t pid)
{
	char name[64], line[256];
	long kib = 0;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/smaps_rollup", (int)pid);
	f = fopen(name, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Anonymous: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

#define CHURNED_KIB (20 * 8 * 3 * 4) /* what 20 lines of rounds give to enclaves */

/* Enclaves that come and go leave nothing behind, in neither process. */
static void churn(const char *mode)
{
	long before, after;

	start_enclaves(mode, "1", "churn", "round\n");
	rounds(5);
	before = resident(r.pid) + resident(monitor_of(&r));
	rounds(20);
	after = resident(r.pid) + resident(monitor_of(&r));
	cr_expect(after < before + CHURNED_KIB, "%ld KiB became %ld", before, after);
	quit();
}

Test(enclave_run, churn_nested)
{
	churn("nested");
}

Test(enclave_run, churn_shadow)
{
	churn("shadow");
}

/* Four CPUs make and destroy enclaves while the balloon takes half of the memory and gives it back. */
static void beside_a_balloon(const char *mode)
{
	long before;

	run_start(&r, (const char *const[]){"run", "--paging", mode, "--cpus", "4", "--memory", "512M",
	                                    "--enclave-memory", "16M", "--timeout", "100", "--control", path,
	                                    guest_path("../../guest/kernel"), "--", "idle", "enclave", "busy", NULL});
	run_until(&r, "enclave: round 1\n");
	before = resident(r.pid) + resident(monitor_of(&r));
	for (int i = 0; i < 2; i++) {
		run_gnomon(&tool, "balloon", "--size", "256M", "--wait", path);
		expect_status(&tool, 0);
		run_until(&r, i ? "enclave: round 5\n" : "enclave: round 2\n");
		run_gnomon(&tool, "balloon", "--size", "0", "--wait", path);
		expect_status(&tool, 0);
		run_until(&r, i ? "enclave: round 6\n" : "enclave: round 3\n");
	}
	cr_expect(resident(r.pid) + resident(monitor_of(&r)) < before + 16384, "memory was lost");
	quit();
}

Test(enclave_run, churn_beside_a_balloon_nested)
{
	beside_a_balloon("nested");
}

Test(enclave_run, churn_beside_a_balloon_shadow)
{
	beside_a_balloon("shadow");
}

/* ---- options ---- */

static void refuses(const char *option, const char *value, const char *words)
{
	run_gnomon(&r, "run", "--enclave-memory", "1M", option, value, guest_path("../enclave/enclave-attacks"));
	expect_refusal(&r, 2, words);
}

Test(enclave_run, options)
{
	refuses("--enclave-memory", "0", "not a multiple of 4 KiB");
	refuses("--enclave-memory", "5000", "not a multiple of 4 KiB");
	refuses("--enclave-memory", "8E", "not a multiple of 4 KiB");
	refuses("--enclave-memory", "9223372036854775808", "not a multiple of 4 KiB");
	refuses("--enclave-levels", "3", "none of 1, 2, 4");
	refuses("--enclave-levels", "0", "--enclave-levels");
	refuses("--enclave-monitor", "none", "none of process, thread");
	refuses("--backing", "hugetlb2m", "pages of 4 KiB");
	run_gnomon(&r, "run", "--enclave-levels", "1", guest_path("../enclave/enclave-attacks"));
	expect_refusal(&r, 2, "they are for --enclave-memory");
}
