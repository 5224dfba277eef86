/* SPDX-License-Identifier: MIT */
/* A named slice of guest memory, taken from under CPUs that work beside it, and given back; in both paging modes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../host_kind.h"
#include "slice_run.h"

#define SLICE      "gpa=0x1064000" /* page 100 of the 2 MiB that the guest hammers */
#define SLICE_SIZE "size=64K"

TestSuite(reclaim_vm, .init = slice_run_init, .fini = slice_run_fini);

static void slice(const char *guest, const char *mode, const char *cpus)
{
	const int enough = on_bochs() ? 1 : 3; /* Bochs is slow */
	unsigned long long before;

	start(guest, mode, cpus, "4k");
	query();
	before = value("memory_host");
	ctl("reclaim", SLICE, SLICE_SIZE);
	query();
	cr_assert_eq(value("stage2_splits"), 1);
	cr_assert_eq(value("stage2_kept"), 496);
	cr_assert_eq(value("stage2_removed"), 16);
	cr_assert_eq(value("stage2_shootdowns"), 1);
	cr_assert_leq(value("stage2_acks"), (unsigned)atoi(cpus));
	cr_assert_eq(value("stage2_surrendered"), 0x10000);
	cr_assert_leq(value("memory_host"), before);
	rounds(enough);
	ctl_refuses("reclaim", SLICE, SLICE_SIZE, "taken already");
	ctl_refuses("reclaim", "gpa=64M", SLICE_SIZE, "not guest memory");
	ctl("release", SLICE, SLICE_SIZE);
	query();
	cr_assert_eq(value("stage2_released"), 16);
	cr_assert_eq(value("stage2_collapses"), 1);
	cr_assert_eq(value("stage2_violations"), 0);
	ctl_refuses("release", SLICE, SLICE_SIZE, "not taken");
	rounds(enough);
	for (int i = 0; i < 4; i++) {
		ctl("reclaim", SLICE, SLICE_SIZE);
		ctl("release", SLICE, SLICE_SIZE);
	}
	rounds(enough);
	query();
	cr_assert_eq(value("stage2_splits"), 5);
	cr_assert_eq(value("stage2_collapses"), 5);
	quit();
}

/* Bochs is slow: there only the guest that has all that the other one has, and more CPUs. */
static void slices(const char *mode)
{
	if (!on_bochs())
		slice("reclaim-1-cpu", mode, "1");
	slice("reclaim-4-cpus", mode, "4");
}

/* The other 496 pages never lose a count nor fault, the counters say what was done, and refusals do nothing. */
Test(reclaim_vm, slice_nested)
{
	slices("nested");
}

Test(reclaim_vm, slice_shadow)
{
	slices("shadow");
}

/* Who reaches for the slice afterwards is killed, and told where. */
static void probe(const char *mode, const char *words)
{
	start("reclaim-probe", mode, "1", "4k");
	ctl("reclaim", SLICE, SLICE_SIZE);
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

/*
 * What the CPU itself needs: code, stack, the page tables, the IDT. Whoever reads it there on the guest's behalf, the
 * guest ends for that reason, and it is counted. In shadow mode it is always us, and the address is the page's.
 */
static void vital(const char *guest, const char *mode, const char *gpa, const char *size)
{
	char file[128], stats[1 << 16] = "";
	FILE *f;

	snprintf(file, sizeof(file), "%s.stats", path);
	run_start(&r, (const char *const[]){"run", "--paging", mode, "--memory", "64M", "--timeout", "30", "--stats",
	                                    file, "--control", path, guest_path(guest), NULL});
	run_until(&r, "round\nround\n");
	run_gnomon(&tool, "ctl", path, "reclaim", gpa, size); /* the run may end before there is an answer */
	run_finish(&r);
	r.out[0] = 0;
	expect_killed(&r, "taken away from it");
	f = fopen(file, "r");
	cr_assert(f);
	stats[fread(stats, 1, sizeof(stats) - 1, f)] = 0;
	fclose(f);
	unlink(file);
	cr_assert(strstr(stats, "\"stage2_violations\""));
	cr_assert(strstr(strstr(stats, "\"stage2_violations\""), "\"value\":1,"), "%s %s: not counted", mode, gpa);
}

Test(reclaim_vm, vital)
{
	static const char *const modes[] = {"nested", "shadow"};

	for (int i = 0; i < 2; i++) {
		vital("reclaim-1-cpu", modes[i], "gpa=0x100000", "size=4K"); /* code */
		vital("reclaim-1-cpu", modes[i], "gpa=0x101000", "size=8K"); /* data and stack */
		vital("reclaim-1-cpu", modes[i], "gpa=0", "size=1M");        /* tables */
		vital("reclaim-exceptions", modes[i], "gpa=0x3000000", "size=4K");
	}
}

/* What was taken is the guest's again after a reset. */
Test(reclaim_vm, reset)
{
	static const char *const modes[] = {"nested", "shadow"};

	for (int i = 0; i < 2; i++) {
		start("reclaim-1-cpu", modes[i], "1", "4k");
		ctl("reclaim", SLICE, SLICE_SIZE);
		tell("system_reset");
		rounds(3);
		ctl_refuses("release", SLICE, SLICE_SIZE, "not taken");
		ctl("reclaim", SLICE, SLICE_SIZE);
		rounds(3);
		quit();
	}
}
