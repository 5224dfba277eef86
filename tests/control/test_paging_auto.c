/* SPDX-License-Identifier: MIT */
/* `--paging auto` at a real run: what it makes of a guest that is stopped, and of one that shadow mode refuses. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "control_run.h"
#include "paging/policy.h"

#define FIRST_TRY_US (POLICY_PATIENCE * POLICY_WINDOW_US)

static void start_auto(const char *behaviour, const char *option)
{
	run_start(&run, (const char *const[]){"run", "--paging", "auto", "--backing", "thp", "--timeout", "100",
	                                      "--control", path, option, guest_path(behaviour), NULL});
	run_until(&run, "counting\n");
	cr_assert_eq(connection_open(&client, path, ANSWER_MS), 0);
}

static bool runs_shadow(void)
{
	json_t *now = ask("query-paging", NULL);
	const bool shadow = strcmp(json_string_value(json_object_get(now, "mode")), "shadow") == 0;

	json_decref(now);
	return shadow;
}

/* A guest that does nothing because a client has stopped it is not a quiet guest. */
Test(control, auto_does_not_judge_a_stopped_guest)
{
	struct limit limit = {0};

	start_auto("nested-only-program", "--cpus=1");
	tell("stop");
	if (runs_shadow()) {
		tell("quit");
		run_finish(&run);
		cr_skip_test("it was quiet for long enough before it was stopped");
	}
	usleep(FIRST_TRY_US * 2);
	cr_assert_not(runs_shadow());
	tell("cont");
	while (!runs_shadow()) {
		cr_assert_not(limit_over(&limit), "it is quiet, and stays in nested mode");
		usleep(10000);
	}
	quit();
}

/* How often the run says that. */
static unsigned times(const char *words)
{
	unsigned n = 0;

	for (const char *p = run.err; (p = strstr(p, words)); p++)
		n++;
	return n;
}

/* The reason is told once, and each try is further away than the one before; a dry run asks the same. */
static void refuses(const char *option)
{
	start_auto("nested-only-slot-508-program", option);
	usleep(FIRST_TRY_US * 5);
	cr_assert_not(runs_shadow());
	tell("quit");
	connection_close(&client);
	run_finish(&run); /* not quit(), which allows no words on stderr */
	cr_assert_eq(run.status, 0);
	cr_assert_leq(times("--paging auto stays with nested paging"), 1u, "%s", run.err);
	cr_assert_eq(times("would change"), 0u, "%s", run.err);
	if (!times("PML4 slot 508"))
		cr_skip_test("this host was too busy for the policy to see a quiet guest");
}

Test(control, auto_tells_once_why_it_stays)
{
	refuses("--cpus=1");
}

Test(control, auto_dry_run_asks_whether_it_could)
{
	refuses("--dry-run");
}
