/* SPDX-License-Identifier: MIT */
/*
 * Guest memory of 1 GiB pages: a guest runs as on any other; a whole page is taken by name and given back, through a
 * reset, too, and nothing less; the balloon is refused with the reason before the guest gives anything, and a guest
 * that gives something all the same loses the device, not its memory. In both paging modes.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "huge_pool.h"
#include "slice_run.h"

#define UNUSED "gpa=0x40000000" /* the second GiB, which the guest never touched */
#define WHOLE  "size=1G"

static const char *const modes[] = {"nested", "shadow"};

static void setup(void)
{
	need_kvm();
	huge_pool_grow(PAGE_1G, 2);
	slice_run_init();
}

static void teardown(void)
{
	slice_run_fini();
	huge_pool_restore();
}

TestSuite(hugetlb1g, .init = setup, .fini = teardown);

/* 1 GiB unless asked for more. */
Test(hugetlb1g, selftest)
{
	char kernel[4096];

	strcpy(kernel, build_path("guest/kernel.elf"));
	for (int i = 0; i < 2; i++) {
		run_gnomon(&r, "run", "--paging", modes[i], "--cpus", "2", "--backing", "hugetlb1g", "--timeout", "100",
		           kernel, "--", "selftest");
		expect_status(&r, 0);
		cr_assert_eq(huge_pool_available(PAGE_1G), 2);
	}
}

static void start_2g(const char *guest, const char *mode)
{
	run_start(&r, (const char *const[]){"run", "--paging", mode, "--memory", "2G", "--backing", "hugetlb1g",
	                                    "--timeout", "100", "--control", path, guest_path(guest), NULL});
	run_until(&r, "round\nround\n");
	cr_assert_eq(huge_pool_available(PAGE_1G), 0);
}

static void slice(const char *mode)
{
	static const char words[] = "not guest memory in whole pages of 1073741824 bytes";

	start_2g("reclaim-1-cpu", mode);
	ctl_refuses("reclaim", UNUSED, "size=2M", words);
	ctl_refuses("reclaim", "gpa=0x60000000", WHOLE, words);
	cr_assert_eq(huge_pool_available(PAGE_1G), 0);
	ctl("reclaim", UNUSED, WHOLE);
	cr_assert_eq(huge_pool_available(PAGE_1G), 1);
	ctl_refuses("release", UNUSED, "size=2M", words);
	huge_pool_use_up(PAGE_1G);
	ctl_refuses("release", UNUSED, WHOLE, "The host has no memory for this now");
	rounds(2);
	huge_pool_give_back();
	ctl("release", UNUSED, WHOLE);
	cr_assert_eq(huge_pool_available(PAGE_1G), 0);
	query();
	cr_assert_eq(value("stage2_splits"), 0);
	cr_assert_eq(value("stage2_removed"), 1 << 18);
	cr_assert_eq(value("stage2_released"), 1 << 18);
	rounds(2);
	ctl("reclaim", UNUSED, WHOLE);
	tell("system_reset");
	cr_assert_eq(huge_pool_available(PAGE_1G), 0);
	rounds(2);
	quit();
}

Test(hugetlb1g, slice_nested)
{
	slice("nested");
}

Test(hugetlb1g, slice_shadow)
{
	slice("shadow");
}

/* `gnomon balloon` says why not; the guest and its driver go on. */
Test(hugetlb1g, balloon_is_refused)
{
	char kernel[4096];

	strcpy(kernel, build_path("guest/kernel.elf"));
	for (int i = 0; i < 2; i++) {
		run_start(&r, (const char *const[]){"run", "--paging", modes[i], "--backing", "hugetlb1g", "--timeout",
		                                    "100", "--control", path, kernel, "--", "idle", NULL});
		run_until(&r, "serving the balloon");
		run_gnomon(&tool, "balloon", "--guest-size", "512M", path);
		cr_assert_eq(tool.status, 1, "%d %s", tool.status, tool.err);
		cr_assert(strstr(tool.err, "1 GiB pages (--backing hugetlb1g) is not for the balloon"), "%s", tool.err);
		run_gnomon(&tool, "balloon", "--guest-size", "1G", path);
		expect_status(&tool, 0);
		query();
		cr_assert_eq(value("balloon_inflated"), 0);
		quit();
	}
}

/* A guest that gives pages unasked: the device says so and stands still, and the guest has what was in them. */
Test(hugetlb1g, balloon_of_small_pages)
{
	for (int i = 0; i < 2; i++) {
		run_gnomon(&r, "run", "--paging", modes[i], "--backing", "hugetlb1g", "--timeout", "60",
		           guest_path("virtio-bad-page-part"));
		cr_assert_eq(r.status, 0, "%s: %d %s", modes[i], r.status, r.err);
		cr_assert(strstr(r.err, "goes in whole, aligned 1 GiB only; the device stands still"), "%s", r.err);
	}
}
