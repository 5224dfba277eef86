/* SPDX-License-Identifier: MIT */
/*
 * What commands do to a guest that runs: stop holds it and is no event to it, from whatever the guest was doing at
 * the time. Resets: test_control_reset.c.
 */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control_run.h"

static const char *const modes[] = {"nested", "shadow"};

/* While stopped a guest does nothing, and afterwards it goes on; many times. */
static void stop_holds_the_guest(const char *mode)
{
	json_int_t before;

	start(mode, "1", "ticks", "ticking\n");
	for (int i = 0; i < 20; i++) {
		tell("stop");
		before = counter("exits");
		usleep(5000);
		cr_assert_eq(counter("exits"), before, "%s: it moved while stopped", mode);
		tell("cont");
		while (counter("exits") == before)
			usleep(100);
	}
	quit();
}

Test(control, stop_holds_the_guest_nested)
{
	stop_holds_the_guest(modes[0]);
}
Test(control, stop_holds_the_guest_shadow)
{
	stop_holds_the_guest(modes[1]);
}

/* A guest that never leaves by itself, on four CPUs: the reply says that all are out, and quit works while stopped. */
Test(control, stops_four_that_spin)
{
	json_t *status;

	start("nested", "4", "spin-on-4-cpus", "spinning\n");
	tell("stop");
	status = ask("query-status", NULL);
	cr_expect_str_eq(json_string_value(json_object_get(status, "status")), "paused");
	cr_expect(json_is_false(json_object_get(status, "running")));
	json_decref(status);
	quit();
}

/* A halted CPU stays halted: neither stop nor cont is an interrupt. */
static void halt_is_not_ended(const char *mode)
{
	const char *const exits = strcmp(mode, "nested") == 0 ? "exits_hlt" : "trap_gp";
	json_int_t before;

	start(mode, "1", "idle", "idle\n");
	await_halt(mode);
	before = counter(exits);
	for (int i = 0; i < 20; i++) {
		tell("stop");
		tell("cont");
	}
	usleep(20000);
	cr_expect_eq(counter(exits), before, "%s", mode);
	quit();
}

Test(control, halt_is_not_ended_nested)
{
	halt_is_not_ended(modes[0]);
}
Test(control, halt_is_not_ended_shadow)
{
	halt_is_not_ended(modes[1]);
}

/* How often a guest at work was stopped until it was done. */
static unsigned stops_at_work(const char *mode)
{
	const bool connected = start_selftest(mode, "2");
	unsigned stops = 0;
	json_t *reply;

	/* Until the guest is done: then there is no answer any more. */
	while (connected && connection_execute(&client, "stop", NULL, &reply) == 0) {
		json_decref(reply);
		stops++;
		usleep(300);
		if (connection_execute(&client, "cont", NULL, &reply) < 0)
			break;
		json_decref(reply);
		json_array_clear(client.events);
		usleep(2000);
	}
	if (connected)
		connection_close(&client);
	run_finish(&run);
	expect_status(&run, 0);
	cr_expect(strstr(run.out, "ok smp-every-cpu-maps"), "%s: %.2000s", mode, run.out);
	return stops;
}

/*
 * A guest at work with interrupts, other CPUs and table changes comes out right however often it is stopped. Where it was
 * done too soon there is another one.
 */
static void work_survives(const char *mode)
{
	struct limit limit = {0};

	for (unsigned stops = 0; stops <= 10; stops += stops_at_work(mode))
		cr_assert_not(limit_over(&limit), "%s: stopped %u times only", mode, stops);
}

Test(control, work_survives_nested)
{
	work_survives(modes[0]);
}
Test(control, work_survives_shadow)
{
	work_survives(modes[1]);
}

/* A guest that is held up because nobody reads its console: stop, query and quit work all the same. */
static void console_that_nobody_reads(const char *mode)
{
	struct limit limit = {0};
	json_t *reply = NULL;
	bool held_up;

	start_with_full_console(mode);
	tell("stop");
	tell("query-status");
	tell("cont");
	/* It cannot be reset there, once it is there; and whether its tables can be read or not, there is an answer. */
	do {
		const char *desc;

		cr_assert_not(limit_over(&limit), "it is reset again and again");
		cr_assert_eq(connection_execute(&client, "system_reset", NULL, &reply), 0);
		desc = json_string_value(json_object_get(json_object_get(reply, "error"), "desc"));
		held_up = desc && strstr(desc, "held up");
		json_decref(reply);
	} while (!held_up);
	cr_assert_eq(connection_execute(&client, "dump-tables", NULL, &reply), 0);
	json_decref(reply);
	quit();
}

Test(control, console_that_nobody_reads_nested)
{
	console_that_nobody_reads(modes[0]);
}
Test(control, console_that_nobody_reads_shadow)
{
	console_that_nobody_reads(modes[1]);
}
