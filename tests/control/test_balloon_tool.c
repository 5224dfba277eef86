/* SPDX-License-Identifier: MIT */
/* gnomon balloon against a guest that drives one: what the sizes mean, that --wait waits, and who hears of it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/connection.h"
#include "run_gnomon.h"

#define MIB       (1 << 20)
#define ANSWER_MS 600000 /* against hangs */

static struct run vm, tool;
static char dir[64], path[96], *kernel;

static void start(const char *mode, const char *program)
{
	need_kvm();
	strcpy(dir, "/tmp/gnomon-balloon-XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	kernel = strdup(build_path("guest/kernel.elf"));
	run_start(&vm, (const char *const[]){"run", "--paging", mode, "--memory", "128M", "--timeout", "100",
	                                     "--control", path, kernel, "--", program, "1", NULL});
}

static void end(void)
{
	run_gnomon(&tool, "ctl", path, "quit");
	expect_status(&tool, 0);
	run_finish(&vm);
	free(kernel);
	cr_expect_eq(rmdir(dir), 0, "something was left in %s", dir);
}

/* What --json said; released by the caller. */
static json_t *said(void)
{
	json_t *sizes = json_loads(tool.out, 0, NULL);

	cr_assert(sizes, "no JSON: %s", tool.out);
	return sizes;
}

/* One change, waited for: the guest has this much then. */
static void expect_size(const char *option, const char *size, json_int_t mib)
{
	json_t *sizes;

	run_gnomon(&tool, "balloon", option, size, "--wait", "--json", path);
	expect_status(&tool, 0);
	sizes = said();
	cr_expect(json_is_true(json_object_get(sizes, "reached")), "%s", tool.out);
	cr_expect_eq(json_integer_value(json_object_get(sizes, "actual")), mib * MIB, "%s %s: %s", option, size,
	             tool.out);
	cr_expect_eq(json_integer_value(json_object_get(sizes, "target")), mib * MIB, "%s %s: %s", option, size,
	             tool.out);
	cr_expect_eq(json_integer_value(json_object_get(sizes, "memory")), 128 * MIB);
	json_decref(sizes);
}

/* One of Gnomon's counters, as a client sees it now. */
static json_int_t counter_now(const char *name)
{
	char providers[128];
	json_t *reply, *stats;
	json_int_t v;

	snprintf(providers, sizeof(providers), "providers=[{\"provider\":\"gnomon\",\"names\":[\"%s\"]}]", name);
	run_gnomon(&tool, "ctl", path, "query-stats", "target=vm", providers);
	expect_status(&tool, 0);
	reply = said();
	stats = json_object_get(json_array_get(reply, 0), "stats");
	cr_assert_eq(json_array_size(stats), 1u, "%s", tool.out);
	v = json_integer_value(json_object_get(json_array_get(stats, 0), "value"));
	json_decref(reply);
	return v;
}

/* What devices count is there while the guest runs, not only when it has ended. */
Test(balloon_tool, counts_while_it_runs)
{
	start("nested", "idle");
	run_until(&vm, "idle: ");
	cr_expect_eq(counter_now("balloon_inflated"), 0);
	expect_size("--size", "32M", 96);
	cr_expect_eq(counter_now("balloon_inflated"), 32 * MIB / 4096);
	expect_size("--size", "0", 128);
	cr_expect_eq(counter_now("balloon_deflated"), 32 * MIB / 4096);
	cr_expect_gt(counter_now("balloon_runs"), 0);
	cr_expect_geq(counter_now("console_bytes"), (json_int_t)vm.out_len);
	end();
}

/* The four ways to say how much, each from where the one before left it. */
static void sizes_mean_what_they_say(const char *mode)
{
	start(mode, "idle");
	run_until(&vm, "idle: ");
	expect_size("--size", "32M", 96);
	expect_size("--inflate", "16M", 80);
	expect_size("--deflate", "8M", 88);
	expect_size("--guest-size", "100M", 100);
	expect_size("--deflate", "1G", 128);
	expect_size("--size", "0", 128);
	run_gnomon(&tool, "balloon", path);
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "guest memory       128.0 MiB of 128.0 MiB"), "%s", tool.out);
	end();
}

Test(balloon_tool, sizes_mean_what_they_say_nested)
{
	sizes_mean_what_they_say("nested");
}
Test(balloon_tool, sizes_mean_what_they_say_shadow)
{
	sizes_mean_what_they_say("shadow");
}

/* More than there is, and all there is: refused before the guest is asked. */
Test(balloon_tool, refuses_impossible_sizes)
{
	start("nested", "idle");
	run_until(&vm, "idle: ");
	run_gnomon(&tool, "balloon", "--size", "128M", path);
	expect_refusal(&tool, 2, "128.0 MiB in all");
	run_gnomon(&tool, "balloon", "--guest-size", "129M", path);
	expect_refusal(&tool, 2, "128.0 MiB in all");
	run_gnomon(&tool, "balloon", "--inflate", "0x7fffffffffffffff", path);
	expect_refusal(&tool, 2, "128.0 MiB in all");
	expect_size("--size", "0", 128);
	end();
}

/* Nearly all of it: the guest cannot, and the tool says so in its time, with what there is. */
Test(balloon_tool, gives_up_in_time)
{
	static const char *const seconds[] = {"5", "10", "20"};
	json_t *sizes;

	start("nested", "idle");
	run_until(&vm, "idle: ");
	for (size_t i = 0; i < 3; i++) { /* more where the host is too busy for an answer in that time */
		run_gnomon(&tool, "balloon", "--guest-size", "4K", "--wait", "--timeout", seconds[i], "--json", path);
		if (!strstr(tool.err, "no answer in time"))
			break;
	}
	cr_expect_eq(tool.status, 1);
	cr_expect(strstr(tool.err, " s the guest has"), "%s", tool.err);
	sizes = said();
	cr_expect(json_is_false(json_object_get(sizes, "reached")));
	json_decref(sizes);
	end();
}

/* A guest without a driver is told of at once, wait or no wait. */
Test(balloon_tool, guest_without_driver)
{
	need_kvm();
	strcpy(dir, "/tmp/gnomon-balloon-XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	run_start(&vm, (const char *const[]){"run", "--timeout", "100", "--control", path, guest_path("spin"), NULL});
	run_until(&vm, "spinning\n");
	run_gnomon(&tool, "balloon", "--inflate", "1M", "--wait", path);
	cr_expect_eq(tool.status, 1);
	cr_expect(strstr(tool.err, "drives no balloon"), "%s", tool.err);
	run_gnomon(&tool, "ctl", path, "quit");
	run_finish(&vm);
	cr_expect_eq(rmdir(dir), 0);
}

/* Two clients at once: the last one's word counts, and each hears of every change. */
Test(balloon_tool, two_clients_at_once)
{
	struct connection c[2];
	json_t *reply = NULL, *event;
	json_int_t actual = 0;

	start("nested", "idle");
	run_until(&vm, "idle: ");
	for (int i = 0; i < 2; i++)
		cr_assert_eq(connection_open(&c[i], path, ANSWER_MS), 0);
	for (int n = 0; n < 50; n++) {
		cr_assert_eq(connection_ask(&c[n % 2], "balloon",
		                            json_pack("{s:I}", "value", (json_int_t)(n % 2 ? 64 : 112) * MIB), &reply),
		             0);
		json_decref(reply);
	}
	for (int i = 0; i < 2; i++) {
		for (actual = 0; actual != 64 * MIB;) {
			cr_assert_eq(connection_event(&c[i], ANSWER_MS, &event), 0, "client %d heard of %lld", i,
			             (long long)actual);
			if (strcmp(json_string_value(json_object_get(event, "event")), "BALLOON_CHANGE") == 0)
				actual = json_integer_value(json_object_get(json_object_get(event, "data"), "actual"));
			json_decref(event);
		}
		connection_close(&c[i]);
	}
	end();
}

/* A reset takes every page back from the balloon; the new guest's driver is asked for the same again. */
Test(balloon_tool, reset_while_inflated)
{
	struct limit limit = {0};

	start("nested", "idle");
	run_until(&vm, "idle: ");
	expect_size("--size", "64M", 64);
	for (int i = 0; i < 3; i++) {
		run_gnomon(&tool, "ctl", path, "system_reset");
		expect_status(&tool, 0);
	}
	while (!limit_over(&limit)) { /* until its driver is there again */
		run_gnomon(&tool, "balloon", path);
		if (tool.status == 0)
			break;
		usleep(10000);
	}
	expect_size("--inflate", "0", 64);
	expect_size("--size", "0", 128);
	end();
}
