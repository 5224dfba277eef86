/* SPDX-License-Identifier: MIT */
#include "control_run.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct run run;
char dir[64], path[96];
struct connection client;

static void setup(void)
{
	need_kvm();
	strcpy(dir, "/tmp/gnomon-control-XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
}

static void teardown(void)
{
	if (*dir)
		cr_expect_eq(rmdir(dir), 0, "something was left in %s", dir);
}

TestSuite(control, .init = setup, .fini = teardown);

void start(const char *mode, const char *cpus, const char *behaviour, const char *words)
{
	run_start(&run, (const char *const[]){"run", "--paging", mode, "--cpus", cpus, "--timeout", "100", "--control",
	                                      path, guest_path(behaviour), NULL});
	run_until(&run, words);
	cr_assert_eq(connection_open(&client, path, ANSWER_MS), 0);
}

bool start_selftest(const char *mode, const char *cpus)
{
	char kernel[4096];

	snprintf(kernel, sizeof(kernel), "%s", build_path("guest/kernel.elf")); /* run_start() asks for paths, too */
	run_start(&run, (const char *const[]){"run", "--paging", mode, "--cpus", cpus, "--timeout", "100", "--control",
	                                      path, kernel, "--", "selftest", NULL});
	run_until(&run, "\nok ");
	return connection_open(&client, path, ANSWER_MS) == 0;
}

void start_with_full_console(const char *mode)
{
	struct limit limit = {0};
	int waiting;

	run_start(&run, (const char *const[]){"run", "--paging", mode, "--control", path, "--timeout", "100",
	                                      guest_path("console-endless"), NULL});
	while ((access(path, F_OK) < 0 || connection_open(&client, path, ANSWER_MS) < 0) && !limit_over(&limit))
		usleep(10000);
	do {
		cr_assert_not(limit_over(&limit), "the pipe never fills");
		usleep(1000);
		cr_assert_eq(ioctl(run.out_fd, FIONREAD, &waiting), 0);
	} while (waiting + 4096 <= fcntl(run.out_fd, F_GETPIPE_SZ));
}

void must_work(int r, const char *step)
{
	if (r == 0)
		return;
	kill(run.pid, SIGTERM); /* unless it has ended by itself, which its status tells */
	run_finish(&run);
	cr_assert_fail("%.100s: %s; the run ended with %d\nstderr: %.2000s", step, strerror(-r), run.status, run.err);
}

json_t *ask(const char *command, json_t *args)
{
	json_t *value = NULL;

	must_work(connection_ask(&client, command, args, &value), command);
	return value;
}

void tell(const char *command)
{
	json_decref(ask(command, NULL));
}

json_int_t counter(const char *name)
{
	json_t *reply = ask("query-stats", json_pack("{s:s, s:[{s:s, s:[s]}]}", "target", "vm", "providers", "provider",
	                                             "gnomon", "names", name));
	json_t *stats = json_object_get(json_array_get(reply, 0), "stats");
	json_int_t v = json_integer_value(json_object_get(json_array_get(stats, 0), "value"));

	cr_assert_eq(json_array_size(stats), 1u, "no %s", name);
	json_decref(reply);
	return v;
}

/* REP OUTSB, STI and HLT are what it has trapped in shadow mode; a busy host is late with them. */
void await_halt(const char *mode)
{
	const bool nested = strcmp(mode, "nested") == 0;

	for (struct limit limit = {0}; counter(nested ? "exits_hlt" : "trap_gp") < (nested ? 1 : 3); usleep(1000))
		cr_assert_not(limit_over(&limit), "it does not halt");
}

void quit(void)
{
	json_t *event;

	tell("quit");
	do {
		cr_assert_eq(connection_event(&client, ANSWER_MS, &event), 0);
		if (strcmp(json_string_value(json_object_get(event, "event")), "SHUTDOWN") == 0)
			break;
		json_decref(event);
	} while (true);
	cr_expect_str_eq(json_string_value(json_object_get(json_object_get(event, "data"), "reason")), "host-qmp-quit");
	json_decref(event);
	connection_close(&client);
	run_finish(&run);
	expect_status(&run, 0);
}
