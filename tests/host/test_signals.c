/* SPDX-License-Identifier: MIT */
/* Signal masks and dispositions that gnomon inherits. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "surroundings.h"

static struct run r;

static void setup(void)
{
	need_kvm();
	dir_make();
}

TestSuite(signals, .init = setup, .fini = dir_remove);

static void block_all(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

/* All that can be, but for those whose being ignored means something: see below. */
static void ignore_all(void)
{
	for (int sig = 1; sig <= SIGRTMAX; sig++)
		if (sig != SIGINT && sig != SIGHUP)
			signal(sig, SIG_IGN);
}

static void both(void)
{
	ignore_all();
	block_all();
}

static void (*const kinds[])(void) = {block_all, ignore_all, both};

/* The kick of vCPUs, the time limit, SIGTERM and children work whatever was blocked or ignored. */
Test(signals, inherited)
{
	for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
		r.surroundings = kinds[k];
		run_gnomon(&r, "run", "--cpus", "4", "--timeout", "1", guest_path("spin-on-4-cpus"));
		expect_killed(&r, "it has not ended within 1 s");
		run_gnomon(&r, "run", "--cpus", "2", "--paging", "shadow", kernel_path(), "--", "selftest");
		expect_status(&r, 0);
		for (int i = 0; i < 3; i++) {
			run_start(&r, (const char *const[]){"run", guest_path("spin"), NULL});
			run_until(&r, "spinning\n");
			kill(r.pid, i == 0 ? SIGTERM : i == 1 ? SIGINT : SIGHUP);
			run_finish(&r);
			cr_assert_eq(r.status, 130, "kind %zu: %d", k, r.status);
		}
		run_gnomon(&r, "bench", "--only", "startup", "--runs", "1");
		expect_status(&r, 0);
		cr_assert(strstr(r.out, "To its exit gnomon takes"), "both ran; kind %zu: %s", k, r.out);
	}
}

/* Signals that mean nothing to a run do nothing to it. */
Test(signals, meaningless)
{
	run_start(&r, (const char *const[]){"run", "--control", in_dir("socket"), guest_path("spin"), NULL});
	run_until(&r, "spinning\n");
	kill(r.pid, SIGPIPE);
	kill(r.pid, SIGXFSZ);
	kill(r.pid, SIGCHLD);
	kill(r.pid, SIGWINCH);
	kill(r.pid, SIGURG);
	kill(r.pid, SIGTERM);
	run_finish(&r);
	cr_assert_eq(r.status, 130);
}

static void be_traced(void)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(253);
}

/* The signal comes when the command enters this system call for the first time. False: it cannot be traced here. */
static bool run_with_signal_at(long call, int sig, const char *const *args)
{
	struct user_regs_struct regs = {.orig_rax = ~0ull};
	int status;

	r.surroundings = be_traced;
	run_start(&r, args);
	while (waitpid(r.pid, &status, 0) == r.pid && WIFSTOPPED(status)) {
		cr_assert_eq(ptrace(PTRACE_GETREGS, r.pid, NULL, &regs), 0);
		if ((long)regs.orig_rax == call)
			break;
		ptrace(PTRACE_SYSCALL, r.pid, NULL, NULL);
	}
	if (!WIFSTOPPED(status)) {
		r.pid = 0;
		cr_assert_eq(status, 253 << 8, "it never came there: %x", status);
		return false;
	}
	kill(r.pid, sig);
	ptrace(PTRACE_DETACH, r.pid, NULL, NULL);
	run_finish(&r);
	return true;
}

/* As early as files are made: the same statuses as later, and nothing is left beside what was asked for. */
Test(signals, before_the_work)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
	char stats[128], json[128];

	snprintf(stats, sizeof(stats), "%s", in_dir("stats"));
	snprintf(json, sizeof(json), "%s", in_dir("json"));
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		if (!run_with_signal_at(SYS_fallocate, ends[i],
		                        (const char *const[]){"run", "--stats", stats, guest_path("spin"), NULL}))
			cr_skip_test("no ptrace here");
		cr_expect_eq(r.status, 130, "run, signal %d: %d %s", ends[i], r.status, r.err);
		cr_expect(strstr(content(stats), "\"counters\""), "it is as of any run that was interrupted");
		cr_assert_eq(unlink(stats), 0);
		run_with_signal_at(SYS_fallocate, ends[i],
		                   (const char *const[]){"bench", "--only", "startup", "--json", json, NULL});
		cr_expect_eq(r.status, 130, "bench, signal %d: %d %s", ends[i], r.status, r.err);
		cr_expect_eq(rmdir(dir), 0, "something was left in %s", dir);
		cr_assert_eq(mkdir(dir, 0755), 0);
	}
}

static int ignored;

static void ignore_one(void)
{
	signal(ignored, SIG_IGN);
}

/* A shell's background job ignores ^C, and nohup's child the hang-up: they stay so, and another signal ends the run. */
static void stays_ignored(int sig)
{
	static struct run tool;

	ignored = sig;
	r.surroundings = ignore_one;
	run_start(&r, (const char *const[]){"run", "--control", in_dir("socket"), guest_path("ticks"), NULL});
	run_until(&r, "ticking\n");
	for (int i = 0; i < 3; i++) {
		kill(r.pid, sig);
		run_gnomon(&tool, "ctl", in_dir("socket"), "query-status");
		expect_status(&tool, 0);
	}
	run_gnomon(&tool, "ctl", in_dir("socket"), "quit");
	expect_status(&tool, 0);
	run_finish(&r);
	expect_status(&r, 0);
}

Test(signals, background_job)
{
	stays_ignored(SIGINT);
}
Test(signals, nohup)
{
	stays_ignored(SIGHUP);
}
