/* SPDX-License-Identifier: MIT */
/* gnomon ctl, balloon and top against a running guest: what they print, and which status they end with. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run_gnomon.h"

static struct run vm, tool;
static char dir[64], path[96];
static bool quit_already;

static void setup(void)
{
	need_kvm();
	strcpy(dir, "/tmp/gnomon-tools-XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	run_start(&vm, (const char *const[]){"run", "--timeout", "100", "--control", path, guest_path("ticks"), NULL});
	run_until(&vm, "ticking\n");
}

static void teardown(void)
{
	if (!*dir)
		return;
	if (!quit_already) {
		run_gnomon(&tool, "ctl", path, "quit");
		expect_status(&tool, 0);
	}
	run_finish(&vm);
	expect_status(&vm, 0);
	cr_expect_eq(rmdir(dir), 0, "something was left in %s", dir);
}

TestSuite(tools, .init = setup, .fini = teardown);

/* Failed on the guest's side: status 1, one line, nothing on stdout. */
static void expect_failure(const char *words)
{
	cr_expect_eq(tool.status, 1, "status %d: %s", tool.status, tool.err);
	cr_expect_str_eq(tool.out, "");
	cr_expect(strstr(tool.err, words) && strchr(tool.err, '\n') == tool.err + strlen(tool.err) - 1, "%s", tool.err);
}

/* The reply is JSON; sizes are read as sizes, JSON as JSON, the rest as text. */
Test(tools, ctl)
{
	json_t *value;

	run_gnomon(&tool, "ctl", path, "query-status");
	expect_status(&tool, 0);
	value = json_loads(tool.out, 0, NULL);
	cr_expect(json_is_true(json_object_get(value, "running")), "%s", tool.out);
	json_decref(value);
	run_gnomon(&tool, "ctl", path, "query-stats", "target=vm",
	           "providers=[{\"provider\":\"gnomon\",\"names\":[\"memory_guest\"]}]");
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "67108864"), "%s", tool.out);
	run_gnomon(&tool, "ctl", path, "dump-tables", "stage=guest");
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "vCPU 0: root"), "%s", tool.out);
}

Test(tools, ctl_refuses)
{
	run_gnomon(&tool, "ctl", path, "nosuch");
	expect_failure("nosuch: The command nosuch has not been found");
	run_gnomon(&tool, "ctl", path, "reclaim", "gpa=2M", "size=64x");
	expect_failure("expected: integer");
	run_gnomon(&tool, "ctl", path, "reclaim", "gpa=2M", "size=0x800");
	expect_failure("multiples of 4096");
	run_gnomon(&tool, "ctl", path, "reclaim", "gpa");
	expect_refusal(&tool, 2, "not KEY=VALUE");
	run_gnomon(&tool, "ctl", path, "reclaim", "gpa=2M", "size=4K", "gpa=4M");
	expect_refusal(&tool, 2, "'gpa' is given twice");
	run_gnomon(&tool, "ctl", path);
	expect_refusal(&tool, 2, "a socket and a command");
	run_gnomon(&tool, "ctl", dir, "query-status");
	expect_failure("cannot connect");
}

/* A guest that was started without secure memory. */
Test(tools, enclave_list)
{
	run_gnomon(&tool, "enclave", "list", path);
	expect_failure("query-enclaves: This VM has no secure memory (gnomon run --enclave-memory)");
}

/* Every event up to the last, a line each. */
Test(tools, ctl_events)
{
	static struct run events;

	run_start(&events, (const char *const[]){"ctl", "--events", path, NULL});
	do { /* until it listens */
		run_gnomon(&tool, "ctl", path, "stop");
		run_gnomon(&tool, "ctl", path, "cont");
	} while (poll(&(struct pollfd){.fd = events.out_fd, .events = POLLIN}, 1, 0) == 0);
	run_gnomon(&tool, "ctl", path, "stop"); /* the one above may have come before */
	run_gnomon(&tool, "ctl", path, "quit");
	quit_already = true;
	run_finish(&events);
	expect_status(&events, 0);
	cr_expect(strstr(events.out, "\"STOP\""), "%s", events.out);
	cr_expect(strstr(events.out, "\"host-qmp-quit\""), "%s", events.out);
}

/* A line of JSON a sample: counters go up, memory is there. */
Test(tools, top)
{
	json_int_t exits[2];
	char *line;

	run_gnomon(&tool, "top", "--count", "2", path);
	expect_status(&tool, 0);
	line = strtok(tool.out, "\n");
	for (int i = 0; i < 2; i++) {
		json_t *sample = json_loads(line ? line : "", 0, NULL);

		cr_assert(sample, "line %d: %s", i, line);
		exits[i] = json_integer_value(json_object_get(json_object_get(sample, "gnomon"), "exits"));
		cr_expect_eq(json_integer_value(json_object_get(json_object_get(sample, "gnomon"), "memory_guest")),
		             64 << 20);
		cr_expect_gt(json_integer_value(json_object_get(json_object_get(sample, "gnomon"), "memory_host")), 0);
		json_decref(sample);
		line = strtok(NULL, "\n");
	}
	cr_expect_null(line);
	cr_expect_gt(exits[1], exits[0]);
}

/* It ends when the run does, with status 0 and at most one line that says so. */
Test(tools, top_ends_with_the_run)
{
	static struct run top;

	run_start(&top, (const char *const[]){"top", path, NULL});
	run_until(&top, "memory_guest");
	run_gnomon(&tool, "ctl", path, "quit");
	quit_already = true;
	run_finish(&top);
	cr_expect_eq(top.status, 0, "%s", top.err);
}

Test(tools, balloon_refuses)
{
	run_gnomon(&tool, "balloon", "--size", "1M", "--inflate", "1M", path);
	expect_refusal(&tool, 2, "only one of");
	run_gnomon(&tool, "balloon", "--size", "lots", path);
	expect_refusal(&tool, 2, "'lots' is not a size");
	run_gnomon(&tool, "balloon");
	expect_refusal(&tool, 2, "one socket");
	run_gnomon(&tool, "balloon", "/nonexistent");
	expect_failure("cannot connect");
}
