/* SPDX-License-Identifier: MIT */
/*
 * The monitor and the VMM as two processes. What is protected here: when one of them dies or does not answer, the other
 * says so and hangs nowhere, at any moment of a run; no process stays; neither, nor another user, looks into the monitor.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enclave_run.h"

TestSuite(enclave_monitor, .init = slice_run_init, .fini = slice_run_fini);

/* The monitor is killed at any moment: one sentence, status 1, and nothing stays. */
Test(enclave_monitor, killed)
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

/*
 * Some of these moments come before the VM is there. At whatever moment, the run ends with one sentence, though
 * the guest makes no call.
 */
Test(enclave_monitor, killed_at_the_start)
{
	for (int i = 0; i < 40; i++) {
		pid_t monitor;

		run_start(&r, (const char *const[]){"run", "--enclave-memory", "1M", "--timeout", "20",
		                                    guest_path("../../guest/kernel"), "--", "idle", NULL});
		while (!(monitor = monitor_of(&r)) || !is_filtered(monitor))
			;
		usleep(i * 100);
		cr_assert_eq(kill(monitor, SIGKILL), 0);
		run_finish(&r);
		cr_expect_eq(r.status, 1);
		cr_expect(strstr(r.err, "gnomon: the enclave monitor ") == r.err, "%s", r.err);
		cr_expect_eq(strchr(r.err, '\n') - r.err, (ptrdiff_t)strlen(r.err) - 1, "%s", r.err);
	}
}

/* A reset that waits for the monitor fails when it dies. */
Test(enclave_monitor, killed_in_a_reset)
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
Test(enclave_monitor, stopped)
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

/* ^C while a call waits for a monitor that does not answer. The next one, --audit's, would find the same. */
Test(enclave_monitor, stopped_at_the_end)
{
	static const char sentence[] = "the enclave monitor does not answer: the run ends\n";
	const char *first;

	start_enclaves("nested", "1", "loop", "looping\n");
	do
		run_gnomon(&tool, "enclave", "list", path);
	while (!strstr(tool.out, "running"));
	cr_assert_eq(kill(monitor_of(&r), SIGSTOP), 0);
	cr_assert_eq(kill(r.pid, SIGINT), 0);
	run_finish(&r);
	cr_expect_eq(r.status, 130);
	first = strstr(r.err, sentence);
	cr_assert(first, "%s", r.err);
	cr_expect_null(strstr(first + 1, sentence), "%s", r.err);
	unlink(path);
}

/* The VMM does not ask the monitor what its own lists have a place for. */
Test(enclave_monitor, impossible_identifiers)
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
Test(enclave_monitor, killed_while_idle)
{
	start_enclaves("nested", "1", "idle", "idle\n");
	cr_assert_eq(kill(monitor_of(&r), SIGKILL), 0);
	run_finish(&r);
	cr_expect_eq(r.status, 1);
	cr_expect(strstr(r.err, "the enclave monitor was killed by signal 9"), "%s", r.err);
}

Test(enclave_monitor, both_are_filtered)
{
	start_enclaves("nested", "1", "idle", "idle\n");
	cr_expect(is_filtered(r.pid));
	cr_expect(is_filtered(monitor_of(&r)));
	quit();
}

Test(enclave_monitor, vmm_killed)
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

/* Another user cannot look into the monitor. What the VMM itself and root can, tests/monitor/test_wall.c tries. */
Test(enclave_monitor, nobody_looks_into_the_monitor)
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
