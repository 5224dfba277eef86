/* SPDX-License-Identifier: MIT */
/*
 * The balloon from end to end: `gnomon balloon`, control socket, device, the guest's driver, its program `idle`, in
 * both paging modes; and the registers as a guest meets them.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "run_gnomon.h"

static struct run r, tool;
static char kernel[4096], dir[64], path[96];

static void setup(void)
{
	need_kvm();
	snprintf(kernel, sizeof(kernel), "%s", build_path("guest/kernel.elf"));
	strcpy(dir, "/tmp/gnomon-balloon-XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
}

static void teardown(void)
{
	if (*dir)
		cr_expect_eq(rmdir(dir), 0, "something was left in %s", dir);
}

TestSuite(balloon, .init = setup, .fini = teardown);

struct sizes {
	unsigned long long memory, actual, target, host_before, host_after;
};

#define MIB (1ull << 20)

/* gnomon balloon --wait --json, and that it got there. */
static struct sizes resize(const char *size)
{
	struct sizes s = {0};

	run_gnomon(&tool, "balloon", "--size", size, "--wait", "--timeout", "60", "--json", path);
	expect_status(&tool, 0);
	cr_assert_eq(sscanf(tool.out,
	                    "{\"memory\": %llu, \"actual\": %llu, \"target\": %llu, \"host_memory_before\": %llu, "
	                    "\"host_memory_after\": %llu, \"reached\": true}",
	                    &s.memory, &s.actual, &s.target, &s.host_before, &s.host_after),
	             5, "%s", tool.out);
	return s;
}

static void quit(void)
{
	run_gnomon(&tool, "ctl", path, "quit");
	expect_status(&tool, 0);
	run_finish(&r);
	expect_status(&r, 0);
}

/* Takes what the guest has said so far, and then waits for two more rounds of `hold`: the second began after now. */
static void two_more_rounds(void)
{
	static const char words[] = "hold: round ";
	unsigned long round = 0;
	char text[64];
	int waiting;

	while (ioctl(r.out_fd, FIONREAD, &waiting) == 0 && waiting > 0 && r.out_len + waiting < RUN_OUTPUT) {
		const ssize_t n = read(r.out_fd, r.out + r.out_len, waiting);

		cr_assert_gt(n, 0);
		r.out_len += n;
		r.out[r.out_len] = 0;
	}
	for (const char *p = r.out; (p = strstr(p, words)) != NULL; p += sizeof(words) - 1) {
		char *end;
		const unsigned long n = strtoul(p + sizeof(words) - 1, &end, 10);

		round = *end == '\n' ? n : round; /* the last line may be cut */
	}
	snprintf(text, sizeof(text), "%s%lu\n", words, round + 2);
	run_until(&r, text);
}

/* What the VM has, as the guest, the host and the guest's allocator see it, bytes. */
struct view {
	unsigned long long actual; /* RAM less balloon */
	unsigned long long host;   /* memory_host: of the guest's RAM, in the host's memory */
	unsigned long long rss;    /* of the gnomon process */
	unsigned long long free;   /* in the guest, as it says itself */
};

static unsigned long long number_behind(const char *text, const char *words)
{
	const char *p = strstr(text, words);

	cr_assert(p, "no %s in: %s", words, text);
	return strtoull(p + strlen(words), NULL, 10);
}

/* Free memory by a report that was asked for here; a busy guest may take its time, and it comes with the next answer
 * then. */
static unsigned long long free_memory(void)
{
	unsigned long long first = 0, reports;

	for (int i = 0;; i++) {
		run_gnomon(&tool, "ctl", path, "query-balloon-stats");
		expect_status(&tool, 0);
		reports = number_behind(tool.out, "\"reports\": ");
		if (strstr(tool.out, "\"fresh\": true") || (i && reports > first))
			return number_behind(tool.out, "\"stat-free-memory\": ");
		first = i ? first : reports;
	}
}

static struct view look(void)
{
	char file[64], text[4096];
	struct view v;
	FILE *f;

	run_gnomon(&tool, "balloon", "--json", path);
	expect_status(&tool, 0);
	v.actual = number_behind(tool.out, "\"actual\": ");
	v.host = number_behind(tool.out, "\"host_memory_after\": ");
	v.free = free_memory();
	snprintf(file, sizeof(file), "/proc/%d/status", r.pid);
	f = fopen(file, "r");
	cr_assert(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	v.rss = number_behind(text, "VmRSS:") << 10;
	return v;
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

	run_start(&r,
	          (const char *const[]){"run",       "--paging", mode,        "--cpus", cpus,        "--memory", "512M",
	                                "--backing", backing,    "--timeout", "100",    "--control", path,       kernel,
	                                "--",        "idle",     "hold",      "32",     "256",       NULL});
	run_until(&r, "hold: round 1\n");
	before = look();
	cr_assert_eq(before.actual, 512 * MIB);
	resize("256M");
	two_more_rounds();
	half = look();
	expect_half_between(&before, &half, "on the way down");
	resize("0");
	run_until(&r, "hold: used 256 MiB again\n");
	two_more_rounds();
	after = look();
	expect_half_between(&after, &half, "on the way up");
	resize("256M");
	cr_assert_eq(resize("64K").actual, 512 * MIB - 0x10000);
	cr_assert_eq(resize("100M").actual, 412 * MIB);
	two_more_rounds();
	quit();
	cr_assert_null(strstr(r.out, "damaged"), "%s", r.out);
}

Test(balloon, there_and_back_nested)
{
	there_and_back("nested", "1", "4k");
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
		const unsigned long long host = look().host;

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
	run_start(&r, (const char *const[]){"run",       "--paging",  mode,
	                                    "--cpus",    cpus,        "--memory",
	                                    "256M",      "--balloon", "free-page-reporting",
	                                    "--timeout", "100",       "--control",
	                                    path,        kernel,      "--",
	                                    "idle",      "fill",      "64",
	                                    "240",       NULL});
	for (int round = 0; round < 2; round++) {
		run_until(&r, "fill: ready\n"); /* it has seen that there is more again */
		resize("32M");                  /* it fills, and frees */
		run_until(&r, "fill: 64 of 64 MiB right\n");
		wait_for_host(true, 16 * MIB);
		r.out_len = 0;
		r.out[0] = 0;
		resize("0");
	}
	quit();
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

/* More than fits into one chain of descriptors (4 GiB) becomes free at once: all of it is reported, in two. */
Test(balloon, reporting_of_5_gib)
{
	if (sysconf(_SC_PHYS_PAGES) * 4096ull < 6144 * MIB)
		cr_skip_test("the host has less memory than this guest");
	run_start(&r, (const char *const[]){"run", "--memory", "6G", "--balloon", "free-page-reporting", "--timeout",
	                                    "100", "--control", path, kernel, "--", "idle", "fill", "5120", "6000",
	                                    "262144", NULL});
	run_until(&r, "fill: ready\n");
	resize("256M");
	run_until(&r, "fill: 5120 of 5120 MiB right\n");
	wait_for_host(true, 4 * MIB);
	resize("0");
	quit();
}

Test(balloon, no_reporting)
{
	run_start(&r, (const char *const[]){"run", "--memory", "256M", "--timeout", "100", "--control", path, kernel,
	                                    "--", "idle", "fill", "64", "240", NULL});
	run_until(&r, "fill: ready\n");
	resize("32M");
	run_until(&r, "fill: 64 of 64 MiB right\n");
	cr_assert_geq(look().host, 64 * MIB);
	quit();
}

/*
 * The guest wants more memory than the balloon has left it. Without the option an allocation fails, as it always does,
 * and the balloon keeps what it has. With it the guest gets all, with zeroes in it, and the balloon shrinks by as much
 * as that takes, until it is told otherwise.
 */
static void out_of_memory(const char *mode, const char *cpus, const char *below, unsigned long long most)
{
	unsigned long long actual;

	run_start(&r, (const char *const[]){"run", "--paging", mode, "--cpus", cpus, "--memory", "64M", "--timeout",
	                                    "100", "--control", path, kernel, "--", "idle", "fill", "48", below, NULL});
	run_until(&r, "fill: ready\n");
	resize("48M");
	run_until(&r, "of 48 MiB right\n");
	cr_assert_null(strstr(r.out, "48 of 48"), "%s", r.out);
	cr_assert_eq(look().actual, 16 * MIB);
	quit();
	run_start(&r, (const char *const[]){"run",       "--paging",  mode,
	                                    "--cpus",    cpus,        "--memory",
	                                    "64M",       "--balloon", "free-page-reporting,deflate-on-oom",
	                                    "--timeout", "100",       "--control",
	                                    path,        kernel,      "--",
	                                    "idle",      "fill",      "48",
	                                    below,       NULL});
	run_until(&r, "fill: ready\n");
	run_gnomon(&tool, "balloon", "--size", "48M", path);
	expect_status(&tool, 0);
	run_until(&r, "fill: 48 of 48 MiB right\n");
	actual = look().actual;
	cr_assert_geq(actual, 48 * MIB);
	cr_assert_leq(actual, most, "it has taken %llu", actual);
	run_gnomon(&tool, "balloon", "--size", "47M", path);
	expect_status(&tool, 0);
	run_until(&r, "fill: 48 of 48 MiB right\nfill: ready\nfill: 48 of 48 MiB right\n");
	resize("0");
	quit();
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
	run_start(&r, (const char *const[]){"run", "--memory", "64M", "--timeout", "100", "--control", path, kernel,
	                                    "--", "idle", NULL});
	run_until(&r, "serving the balloon");
	run_gnomon(&tool, "balloon", "--size", "67104768", "--wait", "--timeout", "1", path); /* 64M less one page */
	cr_assert_eq(tool.status, 1, "%s%s", tool.out, tool.err);
	resize("32M");
	resize("0");
	quit();
}

/*
 * The same while programs keep all CPUs busy, and free some memory in each round: then the driver wants it, on whatever
 * CPU that is, and its program must run again, on a CPU that nobody leaves.
 */
static void more_than_there_is_busy(const char *mode, const char *cpus)
{
	run_start(&r, (const char *const[]){"run", "--paging", mode, "--cpus", cpus, "--memory", "64M", "--timeout",
	                                    "100", "--control", path, kernel, "--", "idle", "hold", "8", "16", NULL});
	run_until(&r, "hold: round 1\n");
	for (int i = 0; i < 5; i++) {
		run_gnomon(&tool, "balloon", "--size", "60M", path);
		expect_status(&tool, 0);
		two_more_rounds();
		resize("0");
		two_more_rounds();
	}
	quit();
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

	run_start(&r, (const char *const[]){"run", "--memory", "64M", "--timeout", "100", "--control", path, kernel,
	                                    "--", "idle", NULL});
	run_until(&r, "serving the balloon");
	resize("32M");
	left = free_memory();
	cr_assert(strstr(tool.out, "\"stat-total-memory\": 67108864"), "%s", tool.out);
	cr_assert_leq(left, 32 * MIB);
	cr_assert_geq(left, 28 * MIB);
	quit();
}

/* After a reset the guest has all its memory again, and its driver can be talked to as before. */
Test(balloon, survives_a_reset)
{
	run_start(&r, (const char *const[]){"run", "--memory", "64M", "--timeout", "100", "--control", path, kernel,
	                                    "--", "idle", NULL});
	run_until(&r, "serving the balloon");
	resize("32M");
	run_gnomon(&tool, "ctl", path, "system_reset");
	expect_status(&tool, 0);
	run_until(&r, "serving the balloon\nidle: serving the balloon");
	resize("16M");
	quit();
}

/* A guest without a driver: the tool says so at once. */
Test(balloon, no_driver)
{
	struct limit limit = {0};

	run_start(&r, (const char *const[]){"run", "--timeout", "100", "--control", path, kernel, "--", "crash", "spin",
	                                    NULL});
	while (access(path, F_OK) < 0 && !limit_over(&limit))
		usleep(20000);
	run_gnomon(&tool, "balloon", "--size", "1M", "--wait", path);
	cr_assert_eq(tool.status, 1, "%s%s", tool.out, tool.err);
	cr_assert(strstr(tool.err, "drives no balloon"), "%s", tool.err);
	quit();
}

Test(balloon, registers)
{
	run_gnomon(&r, "run", "--timeout", "60", guest_path("virtio-registers"));
	expect_status(&r, 0);
	run_gnomon(&r, "run", "--timeout", "60", "--paging", "shadow", guest_path("virtio-registers"));
	expect_status(&r, 0);
}

/* A bad queue stops the device, not the guest. */
Test(balloon, bad_queue)
{
	static const char *const modes[] = {"nested", "shadow"};

	for (int i = 0; i < 2; i++) {
		run_gnomon(&r, "run", "--timeout", "60", "--paging", modes[i], guest_path("virtio-bad-queue"));
		cr_assert_eq(r.status, 0, "%s: %d %s", modes[i], r.status, r.err);
		cr_assert(strstr(r.err, "gnomon: virtio balloon: a queue was made ready with size 0;"), "%s", r.err);
	}
}

/* Pages that are not the guest's to give, each beside one that is: the device says why and does neither. */
Test(balloon, bad_page)
{
	static const struct {
		const char *name, *words;
	} bad[] = {{"image", "in the guest's own image"}, {"loader", "in the loader's first MiB"},
	           {"device", "outside memory"},          {"beyond", "outside memory"},
	           {"nowhere", "outside memory"},         {"twice", "stands twice in a request"}};
	static const char *const modes[] = {"nested", "shadow"};
	char guest[64], words[128];

	for (size_t i = 0; i < 2 * sizeof(bad) / sizeof(*bad); i++) {
		snprintf(guest, sizeof(guest), "virtio-bad-page-%s", bad[i / 2].name);
		snprintf(words, sizeof(words), "%s; the device stands still", bad[i / 2].words);
		run_gnomon(&r, "run", "--timeout", "60", "--paging", modes[i % 2], guest_path(guest));
		cr_assert_eq(r.status, 0, "%s in %s mode: %d %s", guest, modes[i % 2], r.status, r.err);
		cr_assert_eq(strncmp(r.err, "gnomon: virtio balloon: a page ", 31), 0, "%s", r.err);
		cr_assert(strstr(r.err, words), "'%s' is not in: %s", words, r.err);
	}
}

/* A guest that says it gave what it did not: what counts is what the host has, and who waits for the rest is told the
 * truth. */
Test(balloon, lying_guest)
{
	static const char *const modes[] = {"nested", "shadow"};

	for (int i = 0; i < 2; i++) {
		run_start(&r, (const char *const[]){"run", "--paging", modes[i], "--timeout", "100", "--control", path,
		                                    guest_path("virtio-lie"), NULL});
		run_until(&r, "lying\n");
		run_gnomon(&tool, "balloon", "--size", "32M", "--wait", "--timeout", "1", path);
		cr_assert_eq(tool.status, 1, "%s%s", tool.out, tool.err);
		cr_assert(strstr(tool.err, "after 1 s the guest has 64.0 MiB and is asked to have 32.0 MiB"), "%s",
		          tool.err);
		run_gnomon(&tool, "balloon", "--json", path);
		expect_status(&tool, 0);
		cr_assert_eq(number_behind(tool.out, "\"actual\": "), 64 * MIB - 4096, "%s", tool.out);
		quit();
	}
}

Test(balloon, straddling_access)
{
	run_gnomon(&r, "run", "--timeout", "60", guest_path("virtio-straddling-access"));
	expect_killed(&r, "read 8 bytes at guest physical 0xd00001fc");
	run_gnomon(&r, "run", "--timeout", "60", "--paging", "shadow", guest_path("virtio-straddling-access"));
	expect_killed(&r, "");
}
