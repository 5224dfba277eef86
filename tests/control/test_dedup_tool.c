/* SPDX-License-Identifier: MIT */
/* gnomon dedup: what it merges, what the guests have afterwards, and what it says when something is wrong. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../host_kind.h"
#include "run_gnomon.h"

#define VMS 3

static struct run vm[VMS], tool;
static char dir[64], path[VMS][96];

static void start_vm(int i, const char *mode, const char *memory, const char *guest, const char *words)
{
	snprintf(path[i], sizeof(path[i]), "%s/socket%d", dir, i);
	run_start(&vm[i], (const char *const[]){"run", "--paging", mode, "--memory", memory, "--timeout", "100",
	                                        "--control", path[i], guest_path(guest), NULL});
	run_until(&vm[i], words);
}

static void setup(void)
{
	need_kvm();
	strcpy(dir, "/tmp/gnomon-dedup-XXXXXX");
	cr_assert(mkdtemp(dir));
}

static void end(int i)
{
	run_gnomon(&tool, "ctl", path[i], "quit");
	expect_status(&tool, 0);
	run_finish(&vm[i]);
	expect_status(&vm[i], 0);
}

static void teardown(void)
{
	if (!*dir)
		return;
	for (int i = 0; i < VMS; i++)
		if (vm[i].pid)
			end(i);
	cr_expect_eq(rmdir(dir), 0, "something was left in %s", dir);
}

TestSuite(dedup_tool, .init = setup, .fini = teardown);

/* A number of the tool's JSON; `guest` < 0: not of a guest. */
static json_int_t number(int guest, const char *name)
{
	json_t *out = json_loads(tool.out, 0, NULL);
	const json_t *of = guest < 0 ? out : json_array_get(json_object_get(out, "guests"), (size_t)guest);
	const json_int_t v = json_integer_value(json_object_get(of, name));

	cr_assert(json_object_get(of, name), "no %s: %s%s", name, tool.out, tool.err);
	json_decref(out);
	return v;
}

/* The guest says it from now on; what it said before does not count, but for what it said since anybody looked. */
static void run_until_again(int i, const char *words)
{
	vm[i].out_len = 0;
	vm[i].out[0] = 0;
	run_until(&vm[i], words);
}

/*
 * Two guests write at random and check all the time. Each round merges what is equal at that moment, and the guests copy it
 * again. A write that is lost ends the guest with a status.
 */
static void writes_while_merged(const char *mode, const char *other)
{
	json_int_t merged = 0, differ = 0;
	int rounds = on_tcg() ? 2 : 8; /* of which each takes a million writes */

	start_vm(0, mode, "64M", "merge-writes", "right\n");
	start_vm(1, other, "64M", "merge-writes", "right\n");
	while (rounds--) {
		run_gnomon(&tool, "dedup", "--json", path[0], path[1]);
		expect_status(&tool, 0);
		merged += number(0, "merged") + number(1, "merged");
		differ += number(0, "differ") + number(1, "differ");
		for (int i = 0; i < 2; i++)
			run_until_again(i, "right\n");
	}
	for (int i = 0; i < 2; i++)
		end(i);
	cr_expect_gt(merged, 0);
	cr_log_info("%s and %s: %lld pages merged, %lld were written meanwhile", mode, other, (long long)merged,
	            (long long)differ);
}

Test(dedup_tool, no_write_is_lost_nested)
{
	writes_while_merged("nested", "nested");
}

Test(dedup_tool, no_write_is_lost_shadow)
{
	writes_while_merged("shadow", "nested");
}

/*
 * The second time there is nothing left to do but what a CPU with NPT wrote: it takes each walk of a guest's tables for a
 * write. Other sizes of memory do not matter.
 */
Test(dedup_tool, once_is_enough)
{
	json_int_t merged;

	start_vm(0, "nested", "64M", "spin", "spinning\n");
	start_vm(1, "shadow", "96M", "spin", "spinning\n");
	start_vm(2, "nested", "64M", "spin", "spinning\n");
	run_gnomon(&tool, "dedup", "--json", path[0], path[1], path[2]);
	expect_status(&tool, 0);
	cr_expect_gt(number(0, "merged"), 0);
	cr_expect_gt(number(1, "merged"), 0);
	cr_expect_gt(number(-1, "saved"), 0);
	merged = number(0, "merged");
	run_gnomon(&tool, "dedup", "--json", path[2], path[1], path[0]);
	expect_status(&tool, 0);
	cr_expect_lt(number(2, "merged"), merged, "%s", tool.out);
	cr_expect_eq(number(1, "freed"), 0, "%s", tool.out); /* in shadow mode no hardware walks the guest's tables */
	run_gnomon(&tool, "dedup", path[0], path[1]);
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "saved 0.0 MiB"), "%s", tool.out);
	run_gnomon(&tool, "diff", path[0], path[2]);
	cr_expect_eq(tool.status, 0, "%s", tool.out);
}

/* A guest that is not there, or goes, leaves the others to it. */
Test(dedup_tool, a_guest_that_is_gone)
{
	char nobody[100];

	start_vm(0, "nested", "64M", "spin", "spinning\n");
	start_vm(1, "nested", "64M", "spin", "spinning\n");
	snprintf(nobody, sizeof(nobody), "%s/nobody", dir);
	run_gnomon(&tool, "dedup", "--json", path[0], nobody, path[1]);
	cr_expect_eq(tool.status, 1);
	cr_expect(strstr(tool.err, "cannot connect"), "%s", tool.err);
	cr_expect_gt(number(0, "merged"), 0);
	run_gnomon(&tool, "dedup", path[0], nobody);
	cr_expect_eq(tool.status, 1);
	cr_expect(strstr(tool.err, "no two guests left"), "%s", tool.err);
}

/* Guests end and are reset, tools are killed and work at once: whatever of it comes first, nothing hangs or breaks. */
Test(dedup_tool, in_the_middle)
{
	static struct run other;

	start_vm(0, "nested", "64M", "merge-writes", "right\n");
	start_vm(1, "nested", "64M", "merge-writes", "right\n");
	start_vm(2, "nested", "64M", "merge-writes", "right\n");
	for (int i = 0; i < 4; i++) {
		run_start(&other, (const char *const[]){"dedup", path[0], path[1], path[2], NULL});
		usleep(40000u * (unsigned)i);
		if (i % 2)
			run_gnomon(&tool, "dedup", path[1], path[0]);
		else
			run_gnomon(&tool, "ctl", path[1], "system_reset");
		if (i == 2)
			kill(other.pid, SIGKILL);
		run_finish(&other);
	}
	run_start(&other, (const char *const[]){"dedup", path[0], path[1], path[2], NULL});
	usleep(100000);
	end(2);
	run_finish(&other);
	cr_expect(other.status == 0 || other.status == 1, "%d: %s", other.status, other.err);
	run_until_again(0, "right\n");
}

Test(dedup_tool, one_guest_twice)
{
	char link[100];

	start_vm(0, "nested", "64M", "spin", "spinning\n");
	run_gnomon(&tool, "dedup", path[0], path[0]);
	expect_refusal(&tool, 2, "are the same guest");
	snprintf(link, sizeof(link), "%s/link", dir);
	cr_assert_eq(symlink(path[0], link), 0);
	run_gnomon(&tool, "dedup", path[0], link);
	expect_refusal(&tool, 2, "are the same guest");
	unlink(link);
	run_gnomon(&tool, "dedup", path[0]);
	expect_refusal(&tool, 2, "2 to 64 sockets");
	run_gnomon(&tool, "dedup", "--with", "magic", path[0], path[0]);
	expect_refusal(&tool, 2, "none of gnomon, ksm");
	run_gnomon(&tool, "dedup", "--help");
	expect_status(&tool, 0);
}

/* A path may hold what JSON may not. */
Test(dedup_tool, any_path_in_json)
{
	char odd[128];

	start_vm(0, "nested", "64M", "spin", "spinning\n");
	start_vm(1, "nested", "64M", "spin", "spinning\n");
	snprintf(odd, sizeof(odd), "%s\xff", path[1]);
	cr_assert_eq(symlink(path[1], odd), 0);
	run_gnomon(&tool, "dedup", "--json", path[0], odd);
	unlink(odd);
	expect_status(&tool, 0);
	(void)number(1, "merged");
}

/* Either the host's kernel has KSM, or the tool says that it has none. */
Test(dedup_tool, with_ksm)
{
	start_vm(0, "nested", "64M", "spin", "spinning\n");
	start_vm(1, "nested", "64M", "spin", "spinning\n");
	run_gnomon(&tool, "dedup", "--with=ksm", "--json", path[0], path[1]);
	if (access("/sys/kernel/mm/ksm/run", F_OK) == 0) {
		expect_status(&tool, 0);
		cr_expect_gt(number(0, "merged"), 0);
		cr_expect_eq(number(0, "given"), 0);
	} else {
		cr_expect_eq(tool.status, 1);
		cr_expect(strstr(tool.err, "has no KSM"), "%s", tool.err);
	}
}
