/* SPDX-License-Identifier: MIT */
/* How a run ends from outside, by a signal or the time limit, and the counters it leaves. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/counter.h"
#include "run_gnomon.h"

static struct run r;

TestSuite(end, .init = need_kvm);

/* ^C and a polite kill: status 130, and the counters that are not zero, by name and with their words. */
static void interrupted(int sig)
{
	kill(r.pid, sig);
	run_finish(&r);
	cr_assert_eq(r.status, 130, "status %d\nstderr: %s", r.status, r.err);
	cr_assert(strstr(r.err, "gnomon: interrupted"), "%s", r.err);
	cr_assert(strstr(r.err, counter_desc[CTR_CONSOLE_BYTES].what), "no counters: %s", r.err);
}

static void interrupts(const char *behaviour, const char *cpus, const char *text)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		run_start(&r, (const char *const[]){"run", "--cpus", cpus, guest_path(behaviour), NULL});
		run_until(&r, text);
		interrupted(signals[i]);
	}
}

Test(end, interrupt_spinning)
{
	interrupts("spin", "1", "spinning\n");
}

Test(end, interrupt_4_spinning_cpus)
{
	interrupts("spin-on-4-cpus", "4", "spinning\n");
}

/* The vCPU waits in HLT, the other three for their start. */
Test(end, interrupt_idle)
{
	interrupts("idle", "4", "idle\n");
}

Test(end, interrupt_exception_loop)
{
	interrupts("exception-loop", "1", "looping\n");
}

/* Nobody takes the output: the vCPU is stuck in the console, and must end all the same. */
Test(end, interrupt_blocked_console)
{
	const struct timespec nap = {.tv_nsec = 100000000};
	siginfo_t info = {0};
	int held = 0, before = 0, still = 0;
	struct limit limit = {0};

	run_start(&r, (const char *const[]){"run", guest_path("console-endless"), NULL});
	/* Until the pipe has been as full for half a second: the next byte waits. */
	for (; still < 5; before = held) {
		cr_assert_not(limit_over(&limit), "the pipe never fills");
		nanosleep(&nap, NULL);
		cr_assert_eq(ioctl(r.out_fd, FIONREAD, &held), 0);
		still = held && held == before ? still + 1 : 0;
	}
	kill(r.pid, SIGINT);
	limit = (struct limit){0};
	while (!info.si_pid && !limit_over(&limit)) {
		nanosleep(&nap, NULL);
		cr_assert_eq(waitid(P_PID, r.pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
	}
	if (!info.si_pid)
		kill(r.pid, SIGKILL);
	run_finish(&r);
	cr_assert_eq(r.status, 130, "status %d\nstderr: %s", r.status, r.err);
}

Test(end, time_limit)
{
	run_gnomon(&r, "run", "--timeout", "1", "--cpus", "4", guest_path("spin-on-4-cpus"));
	expect_killed(&r, "it has not ended within 1 s");
}

/* A limit that is not reached changes nothing. */
Test(end, time_limit_not_reached)
{
	run_gnomon(&r, "run", "--timeout", "1000", guest_path("exit-status-7"));
	expect_status(&r, 7);
}

/* --stats */

static char stats_path[] = "/tmp/gnomon-stats-XXXXXX";

static void stats_file(void)
{
	need_kvm();
	cr_assert_geq(mkstemp(stats_path), 0);
}

static void stats_remove(void)
{
	unlink(stats_path);
}

TestSuite(stats, .init = stats_file, .fini = stats_remove);

static const char *text_of(json_t *entry, const char *key)
{
	const char *text = json_string_value(json_object_get(entry, key));

	cr_assert(text && *text, "a counter without %s", key);
	return text;
}

/* Checks that every counter is there with its words and a value for each vCPU that adds up; returns one value. */
static json_int_t read_stats(size_t cpus, const char *wanted)
{
	json_t *root = json_load_file(stats_path, 0, NULL), *list, *entry, *each;
	json_int_t found = -1;
	size_t c, i;

	cr_assert_not_null(root, "no JSON");
	list = json_object_get(root, "counters");
	cr_assert_eq(json_array_size(list), CTR_NR);
	json_array_foreach (list, c, entry) {
		json_t *vcpus = json_object_get(entry, "vcpus");
		json_int_t value = json_integer_value(json_object_get(entry, "value")), sum = 0;

		cr_assert_str_eq(text_of(entry, "name"), counter_desc[c].name);
		cr_assert_str_eq(text_of(entry, "unit"), counter_desc[c].unit);
		cr_assert_str_eq(text_of(entry, "description"), counter_desc[c].what);
		cr_assert(json_is_integer(json_object_get(entry, "value")));
		cr_assert_eq(json_array_size(vcpus), cpus);
		json_array_foreach (vcpus, i, each)
			sum += json_integer_value(each);
		cr_assert_eq(sum, value, "%s", counter_desc[c].name);
		if (strcmp(counter_desc[c].name, wanted) == 0)
			found = value;
	}
	list = json_object_get(root, "kvm_vm");
	cr_assert(json_is_array(list) && json_array_size(json_object_get(root, "kvm_vcpus")) == cpus);
	json_array_foreach (list, c, entry) {
		text_of(entry, "name");
		text_of(entry, "description");
		cr_assert(json_is_integer(json_object_get(entry, "value")));
	}
	json_decref(root);
	return found;
}

/* What is counted is what happened: the bytes that came out of the console. */
Test(stats, at_the_guests_end)
{
	run_gnomon(&r, "run", "--cpus", "2", "--stats", stats_path, guest_path("console-bytes"));
	expect_status(&r, 0);
	cr_assert_eq(read_stats(2, "console_bytes"), (json_int_t)r.out_len);
	cr_assert_geq(read_stats(2, "exits_io"), (json_int_t)(2 * r.out_len + 1),
	              "LSR and data of each byte, and the end");
}

Test(stats, port_unclaimed)
{
	run_gnomon(&r, "run", "--stats", stats_path, guest_path("unclaimed-port"));
	expect_status(&r, 0);
	cr_assert_geq(read_stats(1, "port_unclaimed"), 6);
}

Test(stats, interrupts_injected)
{
	run_gnomon(&r, "run", "--cpus", "2", "--stats", stats_path, guest_path("ipi-ends-each-halt"));
	expect_status(&r, 0);
	cr_assert_eq(read_stats(2, "interrupts_injected"), 300);
}

Test(stats, after_a_kill)
{
	run_gnomon(&r, "run", "--stats", stats_path, guest_path("unmapped-read"));
	expect_killed(&r, "read 4 bytes");
	cr_assert_eq(read_stats(1, "exits_mmio"), 1);
}

Test(stats, after_an_interrupt)
{
	run_start(&r, (const char *const[]){"run", "--stats", stats_path, guest_path("spin"), NULL});
	run_until(&r, "spinning\n");
	interrupted(SIGINT);
	cr_assert_eq(read_stats(1, "console_bytes"), 9);
}

/* A file that cannot be written is said, and is a failure: somebody wanted those numbers. */
Test(stats, nowhere_to_write)
{
	run_gnomon(&r, "run", "--stats", "/nonexistent/stats.json", guest_path("exit-status-0"));
	expect_refusal(&r, 1, "/nonexistent/stats.json");
}
