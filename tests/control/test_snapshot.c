/* SPDX-License-Identifier: MIT */
/*
 * Snapshots of real runs: a guest goes on from a file as it was, in either mode, whatever it was doing. What comes in
 * between: test_snapshot_between.c. The format alone: tests/unit/test_snapshot.c.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "snapshot_run.h"

static const char *const modes[] = {"nested", "shadow"};

/* The last whole list of its CPU that the guest `state-again` printed. */
static void last_list(char ret[4096])
{
	const char *p = run.out, *last = NULL;

	(void)fcntl(run.out_fd, F_SETPIPE_SZ, 1 << 20); /* or it waits for its reader at a list, and cannot be saved */

	await("done\n", 3);
	while ((p = strstr(p, "after\n"))) {
		if (strstr(p, "done\n"))
			last = p;
		p++;
	}
	cr_assert(last);
	snprintf(ret, 4096, "%s", last);
	if (strstr(ret, "done\n"))
		*strstr(ret, "done\n") = 0;
}

/* Whether two lists say the same in lines of these names, "-" where a mode does not have the register. */
static void expect_like(const char *is, const char *was, const char *const *name, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char line[32], a[32] = "?", b[32] = "?";

		snprintf(line, sizeof(line), "\n%-8s", name[i]);
		cr_assert(strstr(is, line) && strstr(was, line), "no %s", name[i]);
		(void)sscanf(strstr(is, line) + strlen(line), "%31s", a);
		(void)sscanf(strstr(was, line) + strlen(line), "%31s", b);
		cr_expect(strcmp(a, b) == 0 || strcmp(a, "-") == 0 || strcmp(b, "-") == 0, "%s was %s and is %s",
		          name[i], b, a);
	}
}

/* All that a guest can reach of its CPU, and has changed, is in the file. */
static void keeps_the_state(const char *from)
{
	static const char *const both[] = {"pat",    "sys_cs",  "sys_esp", "sys_eip", "star", "lstar", "cstar",
	                                   "sfmask", "fs_base", "gs_base", "kgsbase", "cr8",  "cr2",   "dr0",
	                                   "dr3",    "dr7",     "fcw",     "mxcsr",   "st0",  "xmm0"};
	static const char *const nested[] = {"tsc_aux", "misc_en", "dbgctl",  "mcgstat", "mc0_ctl",
	                                     "mtrrdef", "mtrrfix", "mtrrf4k", "mtrrb0",  "mtrrm7"};
	char before[4096], after[4096];

	prepare();
	start(from, "1", "state-again", "done\n");
	last_list(before);
	save();
	kill_run();
	for (int m = 0; m < 2; m++) {
		restore(modes[m]);
		last_list(after);
		expect_like(after, before, both, sizeof(both) / sizeof(*both));
		if (m == 0 && strcmp(from, "nested") == 0)
			expect_like(after, before, nested, sizeof(nested) / sizeof(*nested));
		kill_run();
	}
	unlink(file);
}

Test(control, snapshot_keeps_the_state_nested)
{
	keeps_the_state(modes[0]);
}
Test(control, snapshot_keeps_the_state_shadow)
{
	keeps_the_state(modes[1]);
}

/* Programs, interrupts, other CPUs and table changes under way come out right, in all four ways; the source goes on, too. */
static void work_goes_on(const char *from)
{
	prepare();
	save_at_work(from, "4", file, false);
	expect_good();
	for (int m = 0; m < 2; m++) {
		run_gnomon(&tool, "run", "--paging", modes[m], "--audit", "--timeout", "100", "--restore", file);
		expect_status(&tool, 0);
		cr_expect(strstr(tool.out, "ok smp-every-cpu-maps"), "%s to %s: %s", from, modes[m], tool.out);
	}
	unlink(file);
}

Test(control, snapshot_work_goes_on_nested)
{
	work_goes_on(modes[0]);
}
Test(control, snapshot_work_goes_on_shadow)
{
	work_goes_on(modes[1]);
}

/* A CPU that is halted stays so, and the file says it. */
static void halt_stays(const char *from, const char *to)
{
	const char *counted = strcmp(to, "nested") == 0 ? "exits_hlt" : "trap_gp";
	char why[SNAPSHOT_WHY_MAX];
	struct snapshot s;
	json_int_t before;

	prepare();
	start(from, "2", "idle", "idle\n");
	await_halt(from);
	save();
	quit();
	cr_assert_eq(snapshot_open(file, &s, why), 0, "%s", why);
	cr_expect(s.state.cpu[0].state.halted);
	cr_expect_eq(s.state.cpu[1].power, CPU_WAITS);
	snapshot_close(&s);
	restore(to);
	before = counter(counted);
	usleep(20000);
	cr_expect_eq(counter(counted), before);
	quit();
	unlink(file);
}

Test(control, snapshot_halt_stays)
{
	halt_stays("nested", "nested");
	halt_stays("nested", "shadow");
	halt_stays("shadow", "nested");
	halt_stays("shadow", "shadow");
}

/*
 * A balloon half inflated: what the guest gave stays away, and comes back zeroed. The program `hold` ends when it
 * finds damage. An interrupt that was pending, about a new size, is delivered after the restore.
 */
static void balloon_goes_on(const char *from, const char *to)
{
	char why[SNAPSHOT_WHY_MAX];
	uint64_t pending = 0;
	struct snapshot s;

	prepare();
	run_start(&run, (const char *const[]){"run", "--paging", from, "--memory", "128M", "--cpus", "2", "--timeout",
	                                      "100", "--control", path, kernel, "--", "idle", "hold", "8", "8", NULL});
	run_until(&run, "round");
	cr_assert_eq(connection_open(&client, path, ANSWER_MS), 0);
	await_driver();
	set_balloon(96 * MIB);
	await_balloon(96 * MIB);
	tell("stop");
	set_balloon(80 * MIB);
	save();
	tell("cont");
	await_balloon(80 * MIB);
	quit();
	cr_assert_eq(snapshot_open(file, &s, why), 0, "%s", why);
	for (int i = 0; i < 4; i++)
		pending |= s.state.cpu[0].vectors[i];
	cr_expect(pending);
	cr_expect_eq(s.shape.absent_pages, 32u * MIB / 4096);
	snapshot_close(&s);
	restore(to);
	await_balloon(80 * MIB);
	save();
	cr_assert_eq(snapshot_open(file, &s, why), 0, "%s", why);
	cr_expect_eq(s.shape.absent_pages, 48u * MIB / 4096, "what the balloon took before is gone here, too");
	snapshot_close(&s);
	set_balloon(128 * MIB);
	await_balloon(128 * MIB);
	usleep(50000);
	quit();
	unlink(file);
}

Test(control, snapshot_balloon_nested)
{
	balloon_goes_on("nested", "nested");
	balloon_goes_on("nested", "shadow");
}
Test(control, snapshot_balloon_shadow)
{
	balloon_goes_on("shadow", "nested");
	balloon_goes_on("shadow", "shadow");
}

/* A guest that nobody lets run: saved as it stands, and the same twice. The restored one runs. */
Test(control, snapshot_of_a_stopped_guest)
{
	char other[160];

	prepare();
	snprintf(other, sizeof(other), "%s2", file);
	start("nested", "2", "ticks", "ticking\n");
	tell("stop");
	save();
	run_gnomon(&tool, "snapshot", "save", path, other);
	expect_status(&tool, 0);
	run_gnomon(&tool, "snapshot", "diff", file, other);
	cr_expect(strstr(tool.out, "0 pages differ"), "%s", tool.out);
	quit();
	restore("shadow");
	const json_int_t before = counter("exits");

	while (counter("exits") < before + 10)
		usleep(1000);
	/* It has no image. */
	json_t *reply;

	cr_assert_eq(connection_execute(&client, "system_reset", NULL, &reply), 0);
	cr_expect(strstr(json_string_value(json_object_get(json_object_get(reply, "error"), "desc")), "has no image"));
	json_decref(reply);
	/* But it can be saved again. */
	save();
	quit();
	unlink(file);
	unlink(other);
}

/* --- mapped --- */

/* Work that goes on, a page at a time from the file; and from one whose pages are packed. */
Test(control, snapshot_lazy_work_goes_on)
{
	char packed[160];

	prepare();
	snprintf(packed, sizeof(packed), "%s-packed", file);
	save_at_work("nested", "2", file, false);
	save_at_work("nested", "2", packed, true);
	run_gnomon(&tool, "run", "--timeout", "100", "--restore", packed);
	expect_status(&tool, 0);
	run_gnomon(&tool, "run", "--lazy", "--timeout", "100", "--restore", packed);
	expect_status(&tool, 0);
	cr_expect(strstr(tool.out, "ok smp-every-cpu-maps"), "%s", tool.out);
	unlink(packed);
	for (int m = 0; m < 2; m++) {
		run_gnomon(&tool, "run", "--lazy", "--paging", modes[m], "--audit", "--timeout", "100", "--restore",
		           file);
		expect_status(&tool, 0);
		cr_expect(strstr(tool.out, "ok smp-every-cpu-maps"), "%s: %s", modes[m], tool.out);
	}
	unlink(file);
}

/* What goes to the balloon and comes back is zeroed, and not the file's bytes again: `hold` looks. Two guests, one file. */
Test(control, snapshot_lazy_balloon)
{
	struct run other = {0};

	prepare();
	run_start(&run, (const char *const[]){"run", "--memory", "128M", "--timeout", "100", "--control", path, kernel,
	                                      "--", "idle", "hold", "8", "64", NULL});
	run_until(&run, "round");
	cr_assert_eq(connection_open(&client, path, ANSWER_MS), 0);
	await_driver();
	save();
	quit();
	run_start(&other, (const char *const[]){"run", "--lazy", "--timeout", "100", "--restore", file, NULL});
	run_until(&other, "round");
	run_start(&run, (const char *const[]){"run", "--lazy", "--timeout", "100", "--control", path, "--restore", file,
	                                      NULL});
	run_until(&run, "round");
	cr_assert_eq(connection_open(&client, path, ANSWER_MS), 0);
	for (int i = 0; i < 3; i++) {
		set_balloon(40 * MIB);
		await_balloon(40 * MIB);
		set_balloon(128 * MIB);
		await_balloon(128 * MIB);
		await("round", (unsigned)i + 2);
	}
	cr_expect_null(strstr(run.out, "damaged"), "%s", run.out);
	quit();
	kill(other.pid, SIGTERM);
	run_finish(&other);
	cr_expect_null(strstr(other.out, "damaged"), "%s", other.out);
	unlink(file);
}
