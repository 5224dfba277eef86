/* SPDX-License-Identifier: MIT */
/* Signal masks and dispositions that gnomon inherits. */
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
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
		cr_assert_null(strstr(r.out, "n/a"), "kind %zu: %s", k, r.out);
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
