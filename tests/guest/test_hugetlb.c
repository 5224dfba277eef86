/* SPDX-License-Identifier: MIT */
/*
 * Guest memory of the host's pool of 2 MiB pages: what is taken from the guest is the pool's, so that others can have
 * it, and not only free but still promised to us; less than 2 MiB is refused; and when others have it, the guest does
 * not get it back, and goes on; but it is not reset. In both paging modes.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "huge_pool.h"
#include "slice_run.h"

#define POOL_PAGES 130             /* for the largest guest, and some for nobody */
#define USED       "gpa=0x1000000" /* the 2 MiB that the guest hammers */
#define UNUSED     "gpa=0x2000000" /* 2 MiB that it never touched */
#define PART       "gpa=0x2064000" /* of that */
#define ASKEW      "gpa=0x2001000"
#define WHOLE      "size=2M"

static void setup(void)
{
	need_kvm();
	huge_pool_grow(PAGE_2M, POOL_PAGES);
	slice_run_init();
}

static void teardown(void)
{
	slice_run_fini();
	huge_pool_restore();
}

TestSuite(hugetlb, .init = setup, .fini = teardown);

/* The pool has so many more free pages, and so many more of the free ones promised, than it had. */
static void expect_pool(struct huge_pool was, long free, long reserved)
{
	const struct huge_pool is = huge_pool_look(PAGE_2M);

	cr_assert_eq(is.free - was.free, free, "free pages: %ld, before %ld", is.free, was.free);
	cr_assert_eq(is.reserved - was.reserved, reserved, "reserved pages: %ld, before %ld", is.reserved,
	             was.reserved);
}

/*
 * Memory that the guest never touched was only promised to it: the promise goes and comes. What it did touch goes to
 * the pool with its content, and a promise of a page comes back: the guest, which waited meanwhile, finds it empty.
 */
static void slice(const char *guest, const char *mode, const char *cpus)
{
	const struct huge_pool at_first = huge_pool_look(PAGE_2M);
	struct huge_pool before;

	start(guest, mode, cpus, "hugetlb2m");
	before = huge_pool_look(PAGE_2M);
	ctl("reclaim", UNUSED, WHOLE);
	expect_pool(before, 0, -1);
	rounds(2);
	ctl("release", UNUSED, WHOLE);
	expect_pool(before, 0, 0);
	rounds(2);
	tell("stop");
	ctl("reclaim", USED, WHOLE);
	expect_pool(before, 1, 0);
	ctl("release", USED, WHOLE);
	expect_pool(before, 1, 1);
	run_gnomon(&tool, "ctl", path, "cont"); /* it may end before there is an answer */
	run_finish(&r);
	expect_status(&r, 9); /* its words are not what they were */
	expect_pool(at_first, 0, 0);
}

Test(hugetlb, slice_nested)
{
	slice("reclaim-1-cpu", "nested", "1");
	slice("reclaim-4-cpus", "nested", "4");
}

Test(hugetlb, slice_shadow)
{
	slice("reclaim-1-cpu", "shadow", "1");
	slice("reclaim-4-cpus", "shadow", "4");
}

/* A huge page goes as a whole or not at all: 64 KiB of it, or 2 MiB of two, change nothing. */
static void parts(const char *mode)
{
	static const char words[] = "not guest memory in whole pages of 2097152 bytes";
	struct huge_pool before;

	start("reclaim-1-cpu", mode, "1", "hugetlb2m");
	before = huge_pool_look(PAGE_2M);
	ctl_refuses("reclaim", PART, "size=64K", words);
	ctl_refuses("reclaim", ASKEW, WHOLE, words);
	ctl_refuses("reclaim", UNUSED, "size=2052K", words);
	expect_pool(before, 0, 0);
	ctl("reclaim", UNUSED, WHOLE);
	ctl_refuses("release", PART, "size=64K", words);
	expect_pool(before, 0, -1);
	ctl("release", UNUSED, WHOLE);
	query();
	cr_assert_eq(value("stage2_splits"), 0);
	cr_assert_eq(value("stage2_removed"), 512);
	cr_assert_eq(value("stage2_released"), 512);
	rounds(2);
	quit();
}

Test(hugetlb, parts_nested)
{
	parts("nested");
}

Test(hugetlb, parts_shadow)
{
	parts("shadow");
}

/* Others have used up the pool: the guest stays without, and goes on; it gets its memory when they are through. */
static void used_up(const char *mode)
{
	struct huge_pool before, none;

	start("reclaim-1-cpu", mode, "1", "hugetlb2m");
	before = huge_pool_look(PAGE_2M);
	ctl("reclaim", UNUSED, WHOLE);
	huge_pool_use_up(PAGE_2M);
	none = huge_pool_look(PAGE_2M);
	ctl_refuses("release", UNUSED, WHOLE, "The host has no memory for this now");
	expect_pool(none, 0, 0);
	query();
	cr_assert_eq(value("stage2_released"), 0);
	ctl_refuses("reclaim", UNUSED, WHOLE, "taken already");
	rounds(2);
	huge_pool_give_back();
	ctl("release", UNUSED, WHOLE);
	expect_pool(before, 0, 0);
	rounds(2);
	quit();
}

Test(hugetlb, used_up_nested)
{
	used_up("nested");
}

Test(hugetlb, used_up_shadow)
{
	used_up("shadow");
}

/* A reset gives the guest all its memory back. When others have that the run ends, and says why. */
Test(hugetlb, reset_used_up)
{
	static const char *const modes[] = {"nested", "shadow"};
	const struct huge_pool at_first = huge_pool_look(PAGE_2M);

	for (int i = 0; i < 2; i++) {
		start("reclaim-1-cpu", modes[i], "1", "hugetlb2m");
		ctl("reclaim", UNUSED, WHOLE);
		huge_pool_use_up(PAGE_2M);
		run_gnomon(&tool, "ctl", path, "system_reset");
		cr_assert_eq(tool.status, 1, "%s%s", tool.out, tool.err);
		cr_assert(strstr(tool.err, "cannot be started anew; the run ends"), "%s", tool.err);
		run_finish(&r);
		cr_assert_eq(r.status, 1, "%d %s", r.status, r.err);
		cr_assert(strstr(r.err, "no memory for what was taken from the guest"), "%s", r.err);
		huge_pool_give_back();
		expect_pool(at_first, 0, 0);
	}
}

static void start_hold(const char *mode, const char *cpus)
{
	char kernel[4096];

	strcpy(kernel, build_path("guest/kernel.elf"));
	run_start(&r, (const char *const[]){"run",      "--paging",  mode,        "--cpus",    cpus,
	                                    "--memory", "256M",      "--backing", "hugetlb2m", "--timeout",
	                                    "100",      "--control", path,        kernel,      "--",
	                                    "idle",     "hold",      "32",        "128",       NULL});
	run_until(&r, "hold: round 1\n");
}

static void resize(const char *size)
{
	run_gnomon(&tool, "balloon", "--size", size, "--wait", "--timeout", "60", path);
	expect_status(&tool, 0);
}

/* Two rounds, the second of which began after now. */
static void hold_rounds(void)
{
	for (int i = 0; i < 2; i++) {
		drain();
		run_until(&r, "hold: round ");
	}
}

/*
 * Half of the guest's memory to the pool and back, all of it touched before: what the guest keeps stays as it was, and
 * what it gets back is zeroed and usable; `hold` looks at both.
 */
static void balloon(const char *mode, const char *cpus)
{
	const struct huge_pool at_first = huge_pool_look(PAGE_2M);
	long before;

	start_hold(mode, cpus);
	before = huge_pool_available(PAGE_2M);
	resize("128M");
	cr_assert_eq(huge_pool_available(PAGE_2M) - before, 64);
	hold_rounds();
	resize("0");
	cr_assert_eq(huge_pool_available(PAGE_2M), before);
	run_until(&r, "hold: used 128 MiB again\n");
	hold_rounds();
	quit();
	expect_pool(at_first, 0, 0);
}

Test(hugetlb, balloon_nested)
{
	balloon("nested", "1");
	balloon("nested", "2");
}

Test(hugetlb, balloon_shadow)
{
	balloon("shadow", "1");
	balloon("shadow", "2");
}

/*
 * A control client takes some of the memory that the guest then gives, and returns some that the balloon has: the
 * balloon goes on with the rest, by whole huge pages.
 */
Test(hugetlb, balloon_and_slices)
{
	static const char *const modes[] = {"nested", "shadow"};
	struct huge_pool before;
	char kernel[4096];

	strcpy(kernel, build_path("guest/kernel.elf"));
	for (int i = 0; i < 2; i++) {
		run_start(&r, (const char *const[]){"run", "--paging", modes[i], "--memory", "64M", "--backing",
		                                    "hugetlb2m", "--timeout", "100", "--control", path, kernel, "--",
		                                    "idle", NULL});
		run_until(&r, "serving the balloon");
		before = huge_pool_look(PAGE_2M);
		ctl("reclaim", "gpa=0x3000000", WHOLE); /* among the last 32 MiB, which the guest gives first */
		resize("32M");
		expect_pool(before, 0, -16);
		ctl("release", "gpa=0x3400000", WHOLE);
		resize("0");
		expect_pool(before, 0, 0);
		ctl_refuses("release", "gpa=0x3000000", WHOLE, "not taken");
		quit();
	}
}

/* A balloon that is given single pages of a huge one takes none: the device says so and stands still, and the guest has
 * what was in them. */
Test(hugetlb, balloon_of_small_pages)
{
	static const char *const modes[] = {"nested", "shadow"};
	const struct huge_pool before = huge_pool_look(PAGE_2M);

	for (int i = 0; i < 2; i++) {
		run_gnomon(&r, "run", "--paging", modes[i], "--backing", "hugetlb2m", "--timeout", "60",
		           guest_path("virtio-bad-page-part"));
		cr_assert_eq(r.status, 0, "%s: %d %s", modes[i], r.status, r.err);
		cr_assert(strstr(r.err, "goes in whole, aligned 2 MiB only; the device stands still"), "%s", r.err);
		expect_pool(before, 0, 0);
	}
}

/* The balloon cannot give back what others have: the device says so; it costs the guest its driver, not its life. */
static void balloon_used_up(const char *mode)
{
	start_hold(mode, "1");
	resize("128M");
	huge_pool_use_up(PAGE_2M);
	run_gnomon(&tool, "balloon", "--size", "0", path);
	expect_status(&tool, 0);
	run_finish(&r);
	cr_assert_eq(r.status, 1, "%d %s", r.status, r.err); /* of `idle`, whose driver failed */
	cr_assert(strstr(r.err, "the host could not give memory back; the device stands still"), "%s", r.err);
	cr_assert(strstr(r.out, "idle: the balloon failed"), "%s", r.out);
}

Test(hugetlb, balloon_used_up_nested)
{
	balloon_used_up("nested");
}

Test(hugetlb, balloon_used_up_shadow)
{
	balloon_used_up("shadow");
}
