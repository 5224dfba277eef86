/* SPDX-License-Identifier: MIT */
/*
 * The balloon from end to end: `gnomon balloon`, control socket, device, the guest's driver, its program `idle`, in
 * both paging modes.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../host_kind.h"
#include "balloon_run.h"

/* Takes what the guest has said so far, and then waits for two more rounds of `hold`: the second began after now. */
static void two_more_rounds(void)
{
	static const char words[] = "hold: round ";
	unsigned long round = 0;
	char text[64];
	int waiting;

	while (ioctl(vm.out_fd, FIONREAD, &waiting) == 0 && waiting > 0 && vm.out_len + waiting < RUN_OUTPUT) {
		const ssize_t n = read(vm.out_fd, vm.out + vm.out_len, waiting);

		cr_assert_gt(n, 0);
		vm.out_len += n;
		vm.out[vm.out_len] = 0;
	}
	for (const char *p = vm.out; (p = strstr(p, words)) != NULL; p += sizeof(words) - 1) {
		char *end;
		const unsigned long n = strtoul(p + sizeof(words) - 1, &end, 10);

		round = *end == '\n' ? n : round; /* the last line may be cut */
	}
	snprintf(text, sizeof(text), "%s%lu\n", words, round + 2);
	run_until(&vm, text);
}

/*
 * As soon as the guest has 255 MiB more than this: what the balloon gives back last it has with the interrupt that ends
 * its driver's request, a while after `actual` says so.
 */
static struct view look_when_back(unsigned long long free)
{
	struct limit limit = {0};

	for (;;) {
		const struct view v = vm_look();

		if (v.free >= free + 255 * MIB)
			return v;
		cr_assert_not(limit_over(&limit), "free in the guest stays at %llu", v.free);
		usleep(10000);
	}
}

/* `more` has 256 MiB more of all, give or take 1 % of that. */
static void expect_half_between(const struct view *more, const struct view *less, const char *when)
{
	const double half = 256.0 * MIB, bit = half / 100;

	cr_assert_eq(more->actual - less->actual, 256 * MIB, "%s", when);
	cr_assert_float_eq((double)more->host - less->host, half, bit, "%s: memory_host %llu, %llu", when, more->host,
	                   less->host);
	/* What the process needs for shadow tables varies. */
	cr_assert_float_eq((double)more->rss - less->rss, half, 2 * bit, "%s: RSS %llu, %llu", when, more->rss,
	                   less->rss);
	cr_assert_float_eq((double)more->free - less->free, half, bit, "%s: free in the guest %llu, %llu", when,
	                   more->free, less->free);
}

/*
 * Half of the guest's memory, all of which it had touched, goes to the host and comes back, while every CPU of the
 * guest checks what it keeps. The host gets what the guest gives, to 1 %, and gives it back as the guest uses it; the
 * guest sees as much less and more free memory; its data stay as they were.
 */
static void there_and_back(const char *mode, const char *cpus, const char *backing)
{
	struct view before, half, after;

	run_start(&vm,
	          (const char *const[]){"run",       "--paging", mode,        "--cpus", cpus,        "--memory", "512M",
	                                "--backing", backing,    "--timeout", "100",    "--control", vm_socket,  kernel,
	                                "--",        "idle",     "hold",      "32",     "256",       NULL});
	run_until(&vm, "hold: round 1\n");
	before = vm_look();
	cr_assert_eq(before.actual, 512 * MIB);
	vm_resize("256M");
	two_more_rounds();
	half = vm_look();
	expect_half_between(&before, &half, "on the way down");
	vm_resize("0");
	run_until(&vm, "hold: used 256 MiB again\n");
	two_more_rounds();
	after = look_when_back(half.free);
	expect_half_between(&after, &half, "on the way up");
	vm_resize("256M");
	cr_assert_eq(vm_resize("64K").actual, 512 * MIB - 0x10000);
	cr_assert_eq(vm_resize("100M").actual, 412 * MIB);
	two_more_rounds();
	vm_quit();
	cr_assert_null(strstr(vm.out, "damaged"), "%s", vm.out);
}

Test(balloon, there_and_back_nested)
{
	there_and_back("nested", "1", "4k");
	if (!on_tcg()) /* which has one CPU */
		there_and_back("nested", "4", "thp");
}

Test(balloon, there_and_back_shadow)
{
	there_and_back("shadow", "1", "4k");
	there_and_back("shadow", "4", "thp");
}

/* Until memory_host is below or above a bound; what it is then. */
static unsigned long long wait_for_host(bool below, unsigned long long bytes)
{
	struct limit limit = {0};

	for (;;) {
		const unsigned long long host = vm_look().host;

		if ((host < bytes) == below)
			return host;
		cr_assert_not(limit_over(&limit), "memory_host stays at %llu", host);
		usleep(100000);
	}
}

/*
 * Free page reporting: what the guest frees is the host's without being asked for. The guest uses it again, finds
 * zeroes and keeps what it then writes. Without the option the memory stays where it is.
 */
static void reporting(const char *mode, const char *cpus)
{
	run_start(&vm, (const char *const[]){"run",       "--paging",  mode,
	                                     "--cpus",    cpus,        "--memory",
	                                     "256M",      "--balloon", "free-page-reporting",
	                                     "--timeout", "100",       "--control",
	                                     vm_socket,   kernel,      "--",
	                                     "idle",      "fill",      "64",
	                                     "240",       NULL});
	for (int round = 0; round < 2; round++) {
		run_until(&vm, "fill: ready\n"); /* it has seen that there is more again */
		vm_resize("32M");                /* it fills, and frees */
		run_until(&vm, "fill: 64 of 64 MiB right\n");
		wait_for_host(true, 16 * MIB);
		vm.out_len = 0;
		vm.out[0] = 0;
		vm_resize("0");
	}
	vm_quit();
}

Test(balloon, reporting_nested)
{
	reporting("nested", "1");
	reporting("nested", "2");
}

Test(balloon, reporting_shadow)
{
	reporting("shadow", "1");
	reporting("shadow", "2");
}

/* What the host could give now, without swapping. */
static unsigned long long available_memory(void)
{
	unsigned long long kib = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && !kib && fgets(line, sizeof(line), f))
		(void)sscanf(line, "MemAvailable: %llu", &kib);
	if (f)
		fclose(f);
	return kib << 10;
}

/* More than fits into one chain of descriptors (4 GiB) becomes free at once: all of it is reported, in two. */
Test(balloon, reporting_of_5_gib)
{
	if (available_memory() < 5632 * MIB)
		cr_skip_test("the host has less memory left than this guest needs");
	run_start(&vm, (const char *const[]){"run", "--memory", "6G", "--balloon", "free-page-reporting", "--timeout",
	                                     "100", "--control", vm_socket, kernel, "--", "idle", "fill", "5120",
	                                     "6000", "262144", NULL});
	run_until(&vm, "fill: ready\n");
	vm_resize("256M");
	run_until(&vm, "fill: 5120 of 5120 MiB right\n");
	wait_for_host(true, 4 * MIB);
	vm_resize("0");
	vm_quit();
}

Test(balloon, no_reporting)
{
	run_start(&vm, (const char *const[]){"run", "--memory", "256M", "--timeout", "100", "--control", vm_socket,
	                                     kernel, "--", "idle", "fill", "64", "240", NULL});
	run_until(&vm, "fill: ready\n");
	vm_resize("32M");
	run_until(&vm, "fill: 64 of 64 MiB right\n");
	cr_assert_geq(vm_look().host, 64 * MIB);
	vm_quit();
}

/*
 * The guest wants more memory than the balloon has left it. Without the option an allocation fails, as it always does,
 * and the balloon keeps what it has. With it the guest gets all, with zeroes in it, and the balloon shrinks by as much
 * as that takes, until it is told otherwise.
 */
static void out_of_memory(const char *mode, const char *cpus, const char *below, unsigned long long most)
{
	unsigned long long actual;

	run_start(&vm,
	          (const char *const[]){"run", "--paging", mode, "--cpus", cpus, "--memory", "64M", "--timeout", "100",
	                                "--control", vm_socket, kernel, "--", "idle", "fill", "48", below, NULL});
	run_until(&vm, "fill: ready\n");
	vm_resize("48M");
	run_until(&vm, "of 48 MiB right\n");
	cr_assert_null(strstr(vm.out, "48 of 48"), "%s", vm.out);
	cr_assert_eq(vm_look().actual, 16 * MIB);
	vm_quit();
	run_start(&vm, (const char *const[]){"run",       "--paging",  mode,
	                                     "--cpus",    cpus,        "--memory",
	                                     "64M",       "--balloon", "free-page-reporting,deflate-on-oom",
	                                     "--timeout", "100",       "--control",
	                                     vm_socket,   kernel,      "--",
	                                     "idle",      "fill",      "48",
	                                     below,       NULL});
	run_until(&vm, "fill: ready\n");
	run_gnomon(&client, "balloon", "--size", "48M", vm_socket);
	expect_status(&client, 0);
	run_until(&vm, "fill: 48 of 48 MiB right\n");
	actual = vm_look().actual;
	cr_assert_geq(actual, 48 * MIB);
	cr_assert_leq(actual, most, "it has taken %llu", actual);
	run_gnomon(&client, "balloon", "--size", "47M", vm_socket);
	expect_status(&client, 0);
	run_until(&vm, "fill: 48 of 48 MiB right\nfill: ready\nfill: 48 of 48 MiB right\n");
	vm_resize("0");
	vm_quit();
}

/*
 * The guest wants its memory as soon as so many MiB are free no more: below 16, when the last request of two is under
 * way; below 32 it may be the first, and then there is nothing in the balloon yet.
 */
Test(balloon, out_of_memory_nested)
{
	out_of_memory("nested", "1", "16", 56 * MIB);
	out_of_memory("nested", "2", "32", 64 * MIB);
}

Test(balloon, out_of_memory_shadow)
{
	out_of_memory("shadow", "1", "16", 56 * MIB);
	out_of_memory("shadow", "2", "32", 64 * MIB);
}

/* More than it can spare: the driver gives what it can and goes on; a smaller target is reached then. */
Test(balloon, more_than_there_is)
{
	run_start(&vm, (const char *const[]){"run", "--memory", "64M", "--timeout", "100", "--control", vm_socket,
	                                     kernel, "--", "idle", NULL});
	run_until(&vm, "serving the balloon");
	vm_resize_in_vain("67104768"); /* 64M less one page */
	vm_resize("32M");
	vm_resize("0");
	vm_quit();
}

/*
 * The same while programs keep all CPUs busy, and free some memory in each round: then the driver wants it, on whatever
 * CPU that is, and its program must run again, on a CPU that nobody leaves.
 */
static void more_than_there_is_busy(const char *mode, const char *cpus)
{
	run_start(&vm,
	          (const char *const[]){"run", "--paging", mode, "--cpus", cpus, "--memory", "64M", "--timeout", "100",
	                                "--control", vm_socket, kernel, "--", "idle", "hold", "8", "16", NULL});
	run_until(&vm, "hold: round 1\n");
	for (int i = 0; i < 5; i++) {
		run_gnomon(&client, "balloon", "--size", "60M", vm_socket);
		expect_status(&client, 0);
		two_more_rounds();
		vm_resize("0");
		two_more_rounds();
	}
	vm_quit();
}

Test(balloon, more_than_there_is_busy_nested)
{
	more_than_there_is_busy("nested", "2");
	more_than_there_is_busy("nested", "4");
}

Test(balloon, more_than_there_is_busy_shadow)
{
	more_than_there_is_busy("shadow", "2");
	more_than_there_is_busy("shadow", "4");
}

/* The guest's own view. */
Test(balloon, statistics)
{
	unsigned long long left;

	run_start(&vm, (const char *const[]){"run", "--memory", "64M", "--timeout", "100", "--control", vm_socket,
	                                     kernel, "--", "idle", NULL});
	run_until(&vm, "serving the balloon");
	vm_resize("32M");
	left = vm_free_memory();
	cr_assert(strstr(client.out, "\"stat-total-memory\": 67108864"), "%s", client.out);
	cr_assert_leq(left, 32 * MIB);
	cr_assert_geq(left, 28 * MIB);
	vm_quit();
}
