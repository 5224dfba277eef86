/* SPDX-License-Identifier: MIT */
/* set-paging at a real run: what it answers, whom it tells, and what it refuses while the guest goes on. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "control_run.h"
#include "../host_kind.h"

/* A change of the mode; the answer or the error, the caller's to release. */
static json_t *set(struct connection *c, const char *mode)
{
	json_t *reply = NULL;

	must_work(connection_execute(c, "set-paging", json_pack("{s:s}", "mode", mode), &reply), "set-paging");
	return reply;
}

static const char *refusal(const json_t *reply)
{
	return json_string_value(json_object_get(json_object_get(reply, "error"), "desc"));
}

/* The change works, and `changed` says whether it was one. */
static void change(const char *mode, bool changed)
{
	json_t *reply = set(&client, mode), *value = json_object_get(reply, "return");

	cr_assert(value, "%s", refusal(reply));
	cr_assert_str_eq(json_string_value(json_object_get(value, "mode")), mode);
	cr_assert_eq(json_is_true(json_object_get(value, "changed")), changed);
	cr_assert_eq(json_integer_value(json_object_get(value, "us")) > 0, changed);
	json_decref(reply);
}

static void expect_mode(const char *mode, int changes, const char *reason)
{
	json_t *now = ask("query-paging", NULL);

	cr_assert_str_eq(json_string_value(json_object_get(now, "mode")), mode);
	cr_assert_str_eq(json_string_value(json_object_get(now, "reason")), reason);
	cr_assert_eq(json_integer_value(json_object_get(now, "changes")), changes);
	cr_assert_eq(json_object_get(now, "since-ms") != NULL, changes > 0);
	cr_assert_eq(json_object_get(now, "shadow") != NULL, strcmp(mode, "shadow") == 0);
	json_decref(now);
}

/* The guest leaves KVM_RUN again and again: it runs. */
static void expect_running(void)
{
	const json_int_t before = counter("exits");
	struct limit limit = {0};

	while (counter("exits") < before + 10) {
		cr_assert_not(limit_over(&limit), "the guest does not go on");
		usleep(1000);
	}
}

/* There and back, each told to all who listen, and known afterwards with its reason. */
Test(control, set_paging_there_and_back)
{
	json_t *event = NULL, *data;

	start("nested", "2", "ticks", "ticking\n");
	expect_mode("nested", 0, "start");
	change("shadow", true);
	expect_mode("shadow", 1, "set-paging");
	expect_running();
	must_work(connection_event(&client, ANSWER_MS, &event), "the event");
	cr_assert_str_eq(json_string_value(json_object_get(event, "event")), "PAGING_CHANGE");
	data = json_object_get(event, "data");
	cr_assert_str_eq(json_string_value(json_object_get(data, "mode")), "shadow");
	cr_assert_str_eq(json_string_value(json_object_get(data, "reason")), "set-paging");
	cr_assert_gt(json_integer_value(json_object_get(data, "us")), 0);
	json_decref(event);
	change("nested", true);
	expect_mode("nested", 2, "set-paging");
	expect_running();
	quit();
}

/* The first list of the CPU's state that the guest has printed completely; NULL: there is none yet. */
static const char *list(void)
{
	const char *p = strstr(run.out, "after\n");

	return p && strstr(p, "done\n") ? p : NULL;
}

/* Forgets what the guest has said so far, and waits for the next list, which was begun after now. */
static const char *next_list(void)
{
	struct limit limit = {0};
	int waiting;

	while (ioctl(run.out_fd, FIONREAD, &waiting) == 0 && waiting > 0)
		cr_assert_gt(read(run.out_fd, run.out, RUN_OUTPUT - 1), 0);
	run.out_len = 0;
	do {
		struct pollfd p = {.fd = run.out_fd, .events = POLLIN};

		cr_assert_not(limit_over(&limit), "the guest does not go on");
		if (poll(&p, 1, 10) == 1)
			run.out_len += (size_t)read(run.out_fd, run.out + run.out_len, RUN_OUTPUT - 1 - run.out_len);
		run.out[run.out_len] = 0;
	} while (!list());
	return list();
}

/* The value in a list's line of this name; false for "-". */
static bool value_of(const char *list, const char *name, char ret_value[32])
{
	char line[32];
	const char *p;

	snprintf(line, sizeof(line), "\n%-8s", name);
	p = strstr(list, line);
	cr_assert(p, "no %s", name);
	return sscanf(p + strlen(line), "%31s", ret_value) == 1 && strcmp(ret_value, "-") != 0;
}

/*
 * All that a guest can reach of its CPU, changed by it, is in the other mode as it was, and back again. What a CPU has in
 * nested mode only comes back as well.
 */
Test(control, set_paging_keeps_the_state)
{
	static const char *const both[] = {"pat", "sys_cs", "sys_esp", "sys_eip", "star", "lstar", "cstar", "sfmask", "fs_base",
	                                   "gs_base", "kgsbase", "cr8", "cr2", "dr0", "dr3", "dr7", "fcw", "mxcsr", "st0",
	                                   "xmm0"};
	static const char *const one[] = {"tsc_aux", "misc_en", "dbgctl", "mcgstat", "mc0_ctl", "mtrrdef", "mtrrfix", "mtrrf4k",
	                                  "mtrrb0", "mtrrm7"};
	static char before[4096], shadow[4096], after[4096];

	start("nested", "1", "state-again", "done\n");
	(void)fcntl(run.out_fd, F_SETPIPE_SZ, 1 << 20); /* or it waits for its reader at a list, and its mode stays */
	snprintf(before, sizeof(before), "%s", next_list());
	change("shadow", true);
	snprintf(shadow, sizeof(shadow), "%s", next_list());
	change("nested", true);
	snprintf(after, sizeof(after), "%s", next_list());
	for (size_t i = 0; i < sizeof(both) / sizeof(*both) + sizeof(one) / sizeof(*one); i++) {
		const bool is_in_both = i < sizeof(both) / sizeof(*both);
		const char *name = is_in_both ? both[i] : one[i - sizeof(both) / sizeof(*both)];
		char was[32], in_shadow[32], is[32];
		const bool there = value_of(before, name, was);

		cr_expect_eq(value_of(after, name, is), there, "%s", name);
		cr_expect(!there || strcmp(is, was) == 0, "%s was %s and is %s", name, was, is);
		if (is_in_both && there && value_of(shadow, name, in_shadow))
			cr_expect_str_eq(in_shadow, was, "%s was %s and is %s in shadow mode", name, was, in_shadow);
	}
	tell("quit");
	connection_close(&client);
	run_finish(&run);
	cr_assert_eq(run.status, 0);
}

/* Bad input. */

/* To the mode that runs: nothing happens, and that is said; nor is there an event. */
Test(control, set_paging_to_the_same)
{
	json_t *event = NULL;

	start("shadow", "1", "ticks", "ticking\n");
	change("shadow", false);
	expect_mode("shadow", 0, "start");
	cr_assert_eq(connection_event(&client, 0, &event), -ETIMEDOUT);
	expect_running();
	quit();
}

/* No such mode, none at all, or one too many. */
Test(control, set_paging_to_nothing)
{
	static const char *const bad[] = {"{\"mode\":\"fast\"}", "{\"mode\":1}", "{\"mode\":\"shadow\",\"now\":true}", "{}"};
	json_t *reply = NULL;

	start("nested", "1", "ticks", "ticking\n");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		must_work(connection_execute(&client, "set-paging", json_loads(bad[i], 0, NULL), &reply), bad[i]);
		cr_assert(refusal(reply), "%s", bad[i]);
		json_decref(reply);
	}
	expect_mode("nested", 0, "start");
	expect_running();
	quit();
}

/* While a client has stopped the guest it stays stopped; after a reset it begins in the new mode. */
Test(control, set_paging_of_a_stopped_guest)
{
	start("nested", "2", "ticks", "ticking\n");
	tell("stop");
	for (int i = 0; i < 4; i++)
		change(i % 2 ? "nested" : "shadow", true);
	json_t *status = ask("query-status", NULL);

	cr_assert(json_is_false(json_object_get(status, "running")));
	json_decref(status);
	tell("system_reset");
	change("shadow", true);
	expect_mode("shadow", 5, "set-paging");
	tell("cont");
	expect_running();
	tell("system_reset");
	change("nested", true);
	expect_running();
	quit();
}

/*
 * A stopped guest cannot run on until it is ready for a change. So it is stopped where it is: this one looks, at every
 * other place, as if it had an instruction half done.
 */
Test(control, set_paging_wherever_a_guest_is_stopped)
{
	start("nested", "1", "interrupts-off", "spinning\n");
	for (int i = 0; i < 24; i++) {
		tell("stop");
		change("shadow", true);
		change("nested", true);
		tell("cont");
	}
	quit();
}

/* Two clients want the same at once: one of them changes it, the other hears that it is so. */
Test(control, set_paging_by_two_clients)
{
	struct connection other;
	const char *mode = "shadow";

	start("nested", "2", "ticks", "ticking\n");
	cr_assert_eq(connection_open(&other, path, ANSWER_MS), 0);
	for (int i = 0; i < 10; i++) {
		static const char text[] = "{\"execute\":\"set-paging\",\"arguments\":{\"mode\":\"%s\"}}\n";
		json_t *one = NULL, *two = NULL;
		char line[128];
		int len = snprintf(line, sizeof(line), text, mode);

		must_work(connection_say(&client, line, len), "one says it");
		must_work(connection_say(&other, line, len), "the other says it");
		must_work(connection_reply(&client, &one), "one hears");
		must_work(connection_reply(&other, &two), "the other hears");
		cr_assert_eq(json_is_true(json_object_get(json_object_get(one, "return"), "changed")) +
		                 json_is_true(json_object_get(json_object_get(two, "return"), "changed")),
		             1);
		json_decref(one);
		json_decref(two);
		mode = i % 2 ? "shadow" : "nested";
	}
	connection_close(&other);
	expect_running();
	quit();
}

/* While slices of memory that the guest does not use come and go. */
Test(control, set_paging_during_reclaim)
{
	struct connection other;
	const char slice[] = "{\"execute\":\"%s\",\"arguments\":{\"gpa\":33554432,\"size\":2101248}}\n";

	start("nested", "2", "ticks", "ticking\n");
	cr_assert_eq(connection_open(&other, path, ANSWER_MS), 0);
	for (int i = 0; i < 20; i++) {
		json_t *reply = NULL;
		char line[128];
		int len = snprintf(line, sizeof(line), slice, i % 2 ? "release" : "reclaim");

		must_work(connection_say(&other, line, len), "reclaim");
		change(i % 2 ? "nested" : "shadow", true);
		must_work(connection_reply(&other, &reply), "the answer to reclaim");
		cr_assert(json_object_get(reply, "return"), "%s", refusal(reply));
		json_decref(reply);
	}
	connection_close(&other);
	expect_running();
	quit();
}

/* A vCPU that waits for whoever reads its console has not done its instruction. */
static void at_the_console(const char *from, const char *to)
{
	struct limit limit = {0};
	bool held_up;

	start_with_full_console(from);
	for (bool there = true;; there = !there) { /* it may not be at the console yet */
		json_t *reply = set(&client, there ? to : from);

		cr_assert_not(limit_over(&limit), "it changes again and again");
		held_up = refusal(reply) != NULL;
		if (held_up)
			cr_assert(strstr(refusal(reply), "vCPU 0 is held up by a device"), "%s", refusal(reply));
		json_decref(reply);
		if (held_up)
			break;
	}
	quit();
}

Test(control, set_paging_at_the_console_nested)
{
	at_the_console("nested", "shadow");
}
Test(control, set_paging_at_the_console_shadow)
{
	at_the_console("shadow", "nested");
}

static void refused(const char *behaviour, const char *why)
{
	json_t *reply;

	start("nested", "1", behaviour, "counting\n");
	reply = set(&client, "shadow");
	cr_assert(refusal(reply), "%s", behaviour);
	cr_assert(strstr(refusal(reply), why), "%s: %s", behaviour, refusal(reply));
	cr_assert(strstr(refusal(reply), "the guest is as it was"));
	json_decref(reply);
	expect_mode("nested", 0, "start");
	expect_running();
	quit();
}

/* As if the library were not installed: an empty file stands in its place. */
static void without_zydis(void)
{
	glob_t found;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    glob("/{usr/,}lib*/{*/,}libZydis.so.*", GLOB_BRACE, NULL, &found) != 0)
		_exit(99);
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (mount("/dev/null", found.gl_pathv[i], NULL, MS_BIND, NULL) < 0)
			_exit(99);
}

Test(control, set_paging_without_zydis)
{
	json_t *reply;

	if (geteuid() != 0)
		cr_skip_test("needs root: it hides a library");
	run.surroundings = without_zydis;
	start("nested", "1", "ticks", "ticking\n");
	reply = set(&client, "shadow");
	cr_assert(refusal(reply) && strstr(refusal(reply), "libZydis"), "%s", refusal(reply));
	json_decref(reply);
	expect_mode("nested", 0, "start");
	expect_running();
	tell("quit");
	connection_close(&client);
	run_finish(&run);
	cr_assert_eq(run.status, 0);
	cr_assert(strstr(run.err, "libZydis"), "%s", run.err);
}

/* A guest that keeps nested mode's contract alone is told what of it shadow mode has no room for. */
Test(control, set_paging_slot_in_use)
{
	refused("nested-only-slot-508", "PML4 slot 508");
}

Test(control, set_paging_32_bit_code)
{
	refused("nested-only-code-32", "it runs 32-bit code");
}

/* On a CPU that has its own selectors at CPL 3. Elsewhere they are as good as any. */
Test(control, set_paging_selectors_of_the_host)
{
	static const char *const guests[] = {"nested-only-selector-2b", "nested-only-selector-33",
	                                     "nested-only-selectors-offered"};

	for (size_t i = 0; i < 3; i++) {
		if (on_pvm()) {
			refused(guests[i], i < 2 ? "selector 0x2b or 0x33" : "segments for programs at 0x28 or 0x30");
		} else {
			start("nested", "1", guests[i], "counting\n");
			change("shadow", true);
			expect_running();
			quit();
		}
	}
}
