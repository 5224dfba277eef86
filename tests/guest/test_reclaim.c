/* SPDX-License-Identifier: MIT */
/* A named slice of guest memory, taken from under CPUs that work beside it, and given back; in both paging modes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "run_gnomon.h"

#define SLICE      "gpa=0x1064000" /* page 100 of the 2 MiB that the guest hammers */
#define SLICE_SIZE "size=64K"

static struct run r, tool;
static char dir[64], path[96];

static void setup(void)
{
	need_kvm();
	strcpy(dir, "/tmp/gnomon-reclaim-XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
}

static void teardown(void)
{
	if (*dir)
		cr_expect_eq(rmdir(dir), 0, "something was left in %s", dir);
}

TestSuite(reclaim_vm, .init = setup, .fini = teardown);

static void start(const char *guest, const char *mode, const char *cpus)
{
	run_start(&r, (const char *const[]){"run", "--paging", mode, "--cpus", cpus, "--memory", "64M", "--backing",
	                                    "4k", "--timeout", "100", "--control", path, guest_path(guest), NULL});
	run_until(&r, "round\nround\n");
}

/* Drops what the guest has said; it waits when nobody listens. */
static void drain(void)
{
	int waiting;

	while (ioctl(r.out_fd, FIONREAD, &waiting) == 0 && waiting > 0)
		cr_assert_gt(read(r.out_fd, r.out, waiting < RUN_OUTPUT ? waiting : RUN_OUTPUT - 1), 0);
	r.out_len = 0;
	r.out[0] = 0;
}

/* The tool did what it should; if not, what the run has to say about it comes along. */
static void expect_done(void)
{
	char text[2000] = "";
	int waiting = 0;

	if (tool.status && ioctl(r.err_fd, FIONREAD, &waiting) == 0 && waiting > 0)
		cr_expect_gt(read(r.err_fd, text, waiting < (int)sizeof(text) ? waiting : (int)sizeof(text) - 1), 0);
	cr_assert_eq(tool.status, 0, "%s\nthe run: %s", tool.err, text);
}

static void ctl(const char *command)
{
	drain();
	run_gnomon(&tool, "ctl", path, command, SLICE, SLICE_SIZE);
	expect_done();
}

static void ctl_refuses(const char *command, const char *gpa, const char *words)
{
	run_gnomon(&tool, "ctl", path, command, gpa, SLICE_SIZE);
	cr_assert_eq(tool.status, 1, "%s%s", tool.out, tool.err);
	cr_assert(strstr(tool.err, words), "%s", tool.err);
}

/* In the last answer to query-stats. */
static unsigned long long value(const char *name)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), "\"name\": \"%s\"", name);
	at = strstr(tool.out, key);
	cr_assert(at, "no %s", name);
	at = strstr(at, "\"value\": ");
	cr_assert(at);
	return strtoull(at + 9, NULL, 10);
}

static void query(void)
{
	run_gnomon(&tool, "ctl", path, "query-stats", "target=vm");
	expect_done();
}

/* The guest checks its words in round after round: more of them than it had said when the socket answered. */
static void rounds(int n)
{
	char text[512] = "";

	for (int i = 0; i < n; i++)
		strcat(text, "round\n");
	drain();
	run_until(&r, text);
}

static void slice(const char *guest, const char *mode, const char *cpus)
{
	unsigned long long before;

	start(guest, mode, cpus);
	query();
	before = value("memory_host");
	ctl("reclaim");
	query();
	cr_assert_eq(value("stage2_splits"), 1);
	cr_assert_eq(value("stage2_kept"), 496);
	cr_assert_eq(value("stage2_removed"), 16);
	cr_assert_eq(value("stage2_shootdowns"), 1);
	cr_assert_leq(value("stage2_acks"), (unsigned)atoi(cpus));
	cr_assert_eq(value("stage2_discarded"), 0x10000);
	cr_assert_leq(value("memory_host"), before);
	rounds(3);
	ctl_refuses("reclaim", SLICE, "taken already");
	ctl_refuses("reclaim", "gpa=64M", "not guest memory");
	ctl("release");
	query();
	cr_assert_eq(value("stage2_returned"), 16);
	cr_assert_eq(value("stage2_collapses"), 1);
	cr_assert_eq(value("stage2_violations"), 0);
	ctl_refuses("release", SLICE, "not taken");
	rounds(3);
	for (int i = 0; i < 4; i++) {
		ctl("reclaim");
		ctl("release");
	}
	rounds(3);
	query();
	cr_assert_eq(value("stage2_splits"), 5);
	cr_assert_eq(value("stage2_collapses"), 5);
	run_gnomon(&tool, "ctl", path, "quit");
	expect_done();
	run_finish(&r);
	expect_status(&r, 0);
}

/* The other 496 pages never lose a count nor fault, the counters say what was done, and refusals do nothing. */
Test(reclaim_vm, slice_nested)
{
	slice("reclaim-1-cpu", "nested", "1");
	slice("reclaim-4-cpus", "nested", "4");
}

Test(reclaim_vm, slice_shadow)
{
	slice("reclaim-1-cpu", "shadow", "1");
	slice("reclaim-4-cpus", "shadow", "4");
}

/* Who reaches for the slice afterwards is killed, and told where. */
static void probe(const char *mode, const char *words)
{
	start("reclaim-probe", mode, "1");
	ctl("reclaim");
	run_finish(&r);
	r.out[0] = 0;
	expect_killed(&r, words);
}

Test(reclaim_vm, probe_nested)
{
	/* Before Linux 6.8 KVM fails without an address. */
	probe("nested", "taken away from it");
}

Test(reclaim_vm, probe_shadow)
{
	probe("shadow", "it reached guest physical 0x1064000, which was taken away from it");
}

/* What was taken is the guest's again after a reset. */
Test(reclaim_vm, reset)
{
	static const char *const modes[] = {"nested", "shadow"};

	for (int i = 0; i < 2; i++) {
		start("reclaim-1-cpu", modes[i], "1");
		ctl("reclaim");
		run_gnomon(&tool, "ctl", path, "system_reset");
		expect_status(&tool, 0);
		rounds(3);
		ctl_refuses("release", SLICE, "not taken");
		ctl("reclaim");
		rounds(3);
		run_gnomon(&tool, "ctl", path, "quit");
		run_finish(&r);
		expect_status(&r, 0);
	}
}
