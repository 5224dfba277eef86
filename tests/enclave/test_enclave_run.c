/* SPDX-License-Identifier: MIT */
/*
 * Enclaves, and what is done to the run from outside: the control socket, signals, the death of either process. What is
 * protected here: nobody who asks the VMM for memory gets an enclave's, a loop in an enclave holds up nobody, and no
 * process stays.
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

#include "slice_run.h"

#define RESETS 1000

TestSuite(enclave_run, .init = slice_run_init, .fini = slice_run_fini);

static void start_enclaves(const char *mode, const char *cpus, const char *word, const char *until)
{
	run_start(&r, (const char *const[]){"run", "--paging", mode, "--cpus", cpus, "--memory", "64M",
	                                    "--enclave-memory", "1M", "--audit", "--timeout", "100", "--control", path,
	                                    guest_path("../enclave/enclave-attacks"), "--", word, NULL});
	run_until(&r, until);
}

/* The pid of the run's one child; 0: it has none. */
static pid_t monitor_of(const struct run *run)
{
	char name[64], line[64] = "";
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/task/%d/children", (int)run->pid, (int)run->pid);
	f = fopen(name, "r");
	if (!f || !fgets(line, sizeof(line), f))
		line[0] = 0;
	if (f)
		fclose(f);
	return atoi(line);
}

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
	char address[24];
	const char *base;

	start_enclaves("nested", "1", "loop", "looping\n");
	run_gnomon(&tool, "enclave", "list", "--json", path);
	base = strstr(tool.out, "\"base\": ");
	cr_assert(base, "%s", tool.out);
	snprintf(address, sizeof(address), "%llu", strtoull(base + 8, NULL, 10));
	run_gnomon(&tool, "walk", path, address);
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "has this address. Inside it the CPU walks its own tables.\n"), "%s", tool.out);
	cr_expect(strstr(tool.out, "\n 14  third        1") && strstr(tool.out, "frame of enclave "), "%s", tool.out);
	cr_expect_not(strstr(tool.out, "\n 15  third"), "%s", tool.out);
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
Test(enclave_run, page_that_was_taken)
{
	start_enclaves("shadow", "1", "taken", "round\n");
	run_gnomon(&tool, "ctl", path, "reclaim", "gpa=0x101e000", "size=4K");
	while (tool.status) /* the guest gives it and takes it back all the time */
		run_gnomon(&tool, "ctl", path, "reclaim", "gpa=0x101e000", "size=4K");
	run_until(&r, "ok a page that was taken\nround\n");
	quit();
}

/* ---- the two processes ---- */

/* The monitor is killed at any moment: one sentence, status 1, and nothing stays. */
Test(enclave_run, monitor_killed)
{
	for (int i = 0; i < 6; i++) {
		start_enclaves(i % 2 ? "shadow" : "nested", "1", i < 3 ? "churn" : "loop",
		               i < 3 ? "round\n" : "looping\n");
		usleep(i * 3000);
		cr_assert_eq(kill(monitor_of(&r), SIGKILL), 0);
		run_finish(&r);
		cr_expect_eq(r.status, 1);
		cr_expect(strstr(r.err, "the enclave monitor was killed by signal 9 (Killed): the run cannot go on\n"),
		          "%s", r.err);
		cr_expect_eq(strchr(r.err, '\n') - r.err, (ptrdiff_t)strlen(r.err) - 1, "%s", r.err);
	}
}

/* A reset that waits for the monitor fails when it dies. */
Test(enclave_run, monitor_killed_in_a_reset)
{
	pid_t monitor;

	start_enclaves("nested", "1", "idle", "idle\n");
	monitor = monitor_of(&r);
	cr_assert_eq(kill(monitor, SIGSTOP), 0);
	run_start(&tool, (const char *const[]){"ctl", path, "system_reset", NULL});
	usleep(300000); /* not long enough: then it fails for want of a run */
	cr_assert_eq(kill(monitor, SIGKILL), 0);
	run_finish(&tool);
	cr_expect_eq(tool.status, 1, "%s", tool.err);
	run_finish(&r);
	cr_expect_eq(r.status, 1);
	cr_expect(strstr(r.err, "the enclave monitor was killed by signal 9 (Killed): the run cannot go on\n"), "%s",
	          r.err);
}

/* What the monitor does not tell is not taken for nothing. */
Test(enclave_run, monitor_stopped)
{
	pid_t monitor;

	start_enclaves("nested", "1", "idle", "idle\n");
	monitor = monitor_of(&r);
	cr_assert_eq(kill(monitor, SIGSTOP), 0);
	run_gnomon(&tool, "walk", path, "0x10000000");
	expect_refusal(&tool, 1, "The monitor, which has the enclaves, does not answer");
	run_gnomon(&tool, "enclave", "list", path);
	expect_refusal(&tool, 1, "The monitor, which has the enclaves, does not answer");
	cr_assert_eq(kill(monitor, SIGCONT), 0);
	run_gnomon(&tool, "walk", path, "0x10000000");
	expect_status(&tool, 0);
	quit();
}

/* The VMM does not ask the monitor what its own lists have a place for. */
Test(enclave_run, impossible_identifiers)
{
	pid_t monitor;

	/* without --audit, which asks after each call */
	run_start(&r, (const char *const[]){"run", "--enclave-memory", "1M", "--timeout", "100", "--control", path,
	                                    guest_path("../enclave/enclave-attacks"), "--", "ids", NULL});
	run_until(&r, "round\n");
	monitor = monitor_of(&r);
	cr_assert_eq(kill(monitor, SIGSTOP), 0);
	rounds(2);
	cr_assert_eq(kill(monitor, SIGCONT), 0);
	quit();
}

/* A run that makes no call is told, too. */
Test(enclave_run, monitor_killed_while_idle)
{
	start_enclaves("nested", "1", "idle", "idle\n");
	cr_assert_eq(kill(monitor_of(&r), SIGKILL), 0);
	run_finish(&r);
	cr_expect_eq(r.status, 1);
	cr_expect(strstr(r.err, "the enclave monitor was killed by signal 9"), "%s", r.err);
}

/* Whether a seccomp filter is in force. */
static bool is_filtered(pid_t pid)
{
	char name[64], line[256];
	int kind = 0;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/status", (int)pid);
	f = fopen(name, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Seccomp: %d", &kind) == 1)
			break;
	if (f)
		fclose(f);
	return kind == 2;
}

Test(enclave_run, both_are_filtered)
{
	start_enclaves("nested", "1", "idle", "idle\n");
	cr_expect(is_filtered(r.pid));
	cr_expect(is_filtered(monitor_of(&r)));
	quit();
}

Test(enclave_run, vmm_killed)
{
	struct limit limit = {0};
	pid_t monitor;

	cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	start_enclaves("nested", "1", "churn", "round\n");
	monitor = monitor_of(&r);
	cr_assert_gt(monitor, 0);
	kill(r.pid, SIGKILL);
	while (kill(monitor, 0) == 0 && waitpid(monitor, NULL, WNOHANG) != monitor) { /* ours when its parent is gone */
		cr_assert_not(limit_over(&limit), "the monitor lives on");
		usleep(1000);
	}
	run_finish(&r);
	unlink(path);
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

/* Who is not root cannot look into the monitor, nor can root by way of the VMM: tests/monitor tries that. */
/* Another user cannot look into the monitor. What the VMM itself and root can, tests/monitor/test_wall.c tries. */
Test(enclave_run, nobody_looks_into_the_monitor)
{
	char name[64], byte;
	struct iovec to = {&byte, 1}, from = {(void *)0x400000, 1};
	pid_t monitor;
	FILE *f;

	start_enclaves("nested", "1", "loop", "looping\n");
	monitor = monitor_of(&r);
	cr_assert_gt(monitor, 0);
	if (geteuid() == 0)
		cr_assert_eq(seteuid(NOBODY), 0);
	snprintf(name, sizeof(name), "/proc/%d/mem", (int)monitor);
	f = fopen(name, "r");
	cr_expect_null(f);
	cr_expect_lt(process_vm_readv(monitor, &to, 1, &from, 1, 0), 0);
	cr_expect_lt(ptrace(PTRACE_ATTACH, monitor, NULL, NULL), 0);
	if (geteuid() == NOBODY)
		cr_assert_eq(seteuid(0), 0);
	quit();
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
