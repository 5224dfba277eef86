/* SPDX-License-Identifier: MIT */
/* The control socket of a run with a real guest: what commands do to the guest, and what clients cannot do to the run.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/connection.h"
#include "run_gnomon.h"

#define ANSWER_MS 30000 /* against hangs */

static struct run run;
static char dir[64], path[96];
static struct connection client;

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

/* Runs with the socket, and connects. `mode` nested or shadow; the guest's first words are awaited. */
static void start(const char *mode, const char *cpus, const char *behaviour, const char *words)
{
	run_start(&run, (const char *const[]){"run", "--paging", mode, "--cpus", cpus, "--timeout", "100", "--control",
	                                      path, guest_path(behaviour), NULL});
	run_until(&run, words);
	cr_assert_eq(connection_open(&client, path, ANSWER_MS), 0);
}

static json_t *ask(const char *command, json_t *args)
{
	json_t *value = NULL;

	cr_assert_eq(connection_ask(&client, command, args, &value), 0, "%s", command);
	return value;
}

static void tell(const char *command)
{
	json_decref(ask(command, NULL));
}

/* A value of the gnomon provider, for the whole VM. */
static json_int_t counter(const char *name)
{
	json_t *reply = ask("query-stats", json_pack("{s:s, s:[{s:s, s:[s]}]}", "target", "vm", "providers", "provider",
	                                             "gnomon", "names", name));
	json_t *stats = json_object_get(json_array_get(reply, 0), "stats");
	json_int_t v = json_integer_value(json_object_get(json_array_get(stats, 0), "value"));

	cr_assert_eq(json_array_size(stats), 1u, "no %s", name);
	json_decref(reply);
	return v;
}

static void quit(void)
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
	json_int_t before;

	start(mode, "1", "idle", "idle\n");
	usleep(20000);
	before = counter(strcmp(mode, "nested") == 0 ? "exits_hlt" : "trap_gp");
	for (int i = 0; i < 20; i++) {
		tell("stop");
		tell("cont");
	}
	usleep(20000);
	cr_expect_eq(counter(strcmp(mode, "nested") == 0 ? "exits_hlt" : "trap_gp"), before, "%s", mode);
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

/* A guest at work with interrupts, other CPUs and table changes comes out right however often it is stopped. */
static void work_survives(const char *mode)
{
	char *kernel = strdup(build_path("guest/kernel.elf")); /* run_start() asks for paths, too */
	unsigned stops = 0;
	json_t *reply;

	run_start(&run, (const char *const[]){"run", "--paging", mode, "--cpus", "2", "--timeout", "100", "--control",
	                                      path, kernel, "--", "selftest", NULL});
	run_until(&run, "ok ");
	cr_assert_eq(connection_open(&client, path, ANSWER_MS), 0);
	/* Until the guest is done: then there is no answer any more. */
	while (connection_execute(&client, "stop", NULL, &reply) == 0) {
		json_decref(reply);
		stops++;
		usleep(300);
		if (connection_execute(&client, "cont", NULL, &reply) < 0)
			break;
		json_decref(reply);
		json_array_clear(client.events);
		usleep(2000);
	}
	connection_close(&client);
	free(kernel);
	run_finish(&run);
	expect_status(&run, 0);
	cr_expect(strstr(run.out, "ok smp-every-cpu-maps"), "%s: %.2000s", mode, run.out);
	cr_expect_gt(stops, 10u, "%s: stopped %u times only", mode, stops);
}

Test(control, work_survives_nested)
{
	work_survives(modes[0]);
}
Test(control, work_survives_shadow)
{
	work_survives(modes[1]);
}

/* Counts how often the guest said it. */
static unsigned times(const char *words)
{
	unsigned n = 0;

	for (const char *p = run.out; (p = strstr(p, words)); p++)
		n++;
	return n;
}

/* Waits until the guest has said `words` so many times, and no more often. */
static void await(const char *words, unsigned n)
{
	for (int i = 0; i < 3000 && times(words) < n; i++) {
		struct pollfd p = {.fd = run.out_fd, .events = POLLIN};

		if (poll(&p, 1, 10) == 1)
			run.out_len += (size_t)read(run.out_fd, run.out + run.out_len, RUN_OUTPUT - 1 - run.out_len);
		run.out[run.out_len] = 0;
	}
	cr_assert_eq(times(words), n, "%s: %s", words, run.out);
}

/* A reset loads the image again and starts it: each guest speaks once more, whatever it was doing; stopped it stays. */
static void reset_starts_again(const char *mode, const char *cpus, const char *behaviour, const char *words)
{
	start(mode, cpus, behaviour, words);
	for (unsigned n = 2; n < 12; n++) {
		if (n % 3 == 0)
			tell("stop");
		tell("system_reset");
		if (n % 3 == 0) {
			usleep(5000);
			cr_expect_eq(times(words), n - 1, "it ran while stopped");
			tell("cont");
		}
		await(words, n);
	}
	quit();
}

Test(control, reset_spinning_nested)
{
	reset_starts_again(modes[0], "4", "spin-on-4-cpus", "spinning\n");
}
Test(control, reset_spinning_shadow)
{
	reset_starts_again(modes[1], "4", "spin-on-4-cpus", "spinning\n");
}
Test(control, reset_halted_nested)
{
	reset_starts_again(modes[0], "1", "idle", "idle\n");
}
Test(control, reset_halted_shadow)
{
	reset_starts_again(modes[1], "1", "idle", "idle\n");
}
Test(control, reset_exiting_nested)
{
	reset_starts_again(modes[0], "1", "ticks", "ticking\n");
}
Test(control, reset_exiting_shadow)
{
	reset_starts_again(modes[1], "1", "ticks", "ticking\n");
}

/* A guest kernel that was reset in the middle of its work does all of it once more, and finds nothing of the old one.
 */
static void work_begins_again(const char *mode)
{
	char *kernel = strdup(build_path("guest/kernel.elf"));
	static char first[256];

	run_start(&run, (const char *const[]){"run", "--paging", mode, "--cpus", "2", "--timeout", "100", "--control",
	                                      path, kernel, "--", "selftest", NULL});
	run_until(&run, "\nok ");
	snprintf(first, sizeof(first), "%.*s", (int)strcspn(run.out, "\n"), run.out);
	cr_assert_eq(connection_open(&client, path, ANSWER_MS), 0);
	for (int i = 0; i < 5; i++) {
		usleep(20000 * i);
		tell("system_reset");
	}
	connection_close(&client);
	free(kernel);
	run_finish(&run);
	expect_status(&run, 0);
	cr_expect_gt(times(first), 1u, "%s", run.out);
	cr_expect_eq(times("ok smp-every-cpu-maps"), 1u, "%s: %.3000s", mode, run.out);
}

Test(control, work_begins_again_nested)
{
	work_begins_again(modes[0]);
}
Test(control, work_begins_again_shadow)
{
	work_begins_again(modes[1]);
}

/* A guest that is held up because nobody reads its console: stop, query and quit work all the same. */
static void console_that_nobody_reads(const char *mode)
{
	json_t *reply = NULL;
	int waiting = 0;

	run_start(&run, (const char *const[]){"run", "--paging", mode, "--control", path, "--timeout", "100",
	                                      guest_path("console-endless"), NULL});
	for (int i = 0; i < 3000 && waiting + 4096 <= fcntl(run.out_fd, F_GETPIPE_SZ); i++) {
		usleep(10000);
		cr_assert_eq(ioctl(run.out_fd, FIONREAD, &waiting), 0);
	}
	usleep(10000); /* from the last byte that fitted to the one that does not */
	cr_assert_eq(connection_open(&client, path, ANSWER_MS), 0);
	tell("stop");
	tell("query-status");
	tell("cont");
	/* It cannot be reset there; and whether its tables can be read or not, there is an answer. */
	cr_assert_eq(connection_execute(&client, "system_reset", NULL, &reply), 0);
	cr_expect(strstr(json_string_value(json_object_get(json_object_get(reply, "error"), "desc")), "held up"));
	json_decref(reply);
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

/* The guest's end is told, with its reason, and the socket is gone before the process is. */
Test(control, guest_ends)
{
	json_t *event;

	start("nested", "1", "ticks", "ticking\n");
	kill(run.pid, SIGINT);
	cr_assert_eq(connection_event(&client, ANSWER_MS, &event), 0);
	cr_expect_str_eq(json_string_value(json_object_get(event, "event")), "SHUTDOWN");
	cr_expect_str_eq(json_string_value(json_object_get(json_object_get(event, "data"), "reason")), "host-signal");
	cr_expect(json_is_false(json_object_get(json_object_get(event, "data"), "guest")));
	json_decref(event);
	connection_close(&client);
	run_finish(&run);
	cr_expect_eq(run.status, 130);
	cr_expect_eq(access(path, F_OK), -1);
}

/* Two runs at one path: the second is refused with one line, the first goes on. After SIGKILL the path is free. */
Test(control, one_run_a_socket)
{
	static struct run second;
	struct stat st;

	start("nested", "1", "ticks", "ticking\n");
	cr_expect(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600, "mode %o", st.st_mode);
	run_gnomon(&second, "run", "--control", path, guest_path("exit-status-0"));
	expect_refusal(&second, 2, "somebody listens");
	tell("query-status");
	connection_close(&client);
	kill(run.pid, SIGKILL);
	run_finish(&run);
	cr_expect_eq(access(path, F_OK), 0);
	start("nested", "1", "ticks", "ticking\n");
	quit();
}

/* What stands at the path and is no socket stays; a directory that is not there is said. */
Test(control, paths_that_are_refused)
{
	char file[128];
	FILE *f;

	snprintf(file, sizeof(file), "%s/file", dir);
	f = fopen(file, "w");
	fputs("mine", f);
	fclose(f);
	run_gnomon(&run, "run", "--control", file, guest_path("exit-status-0"));
	expect_refusal(&run, 2, "is no socket");
	cr_expect_eq(access(file, R_OK), 0);
	unlink(file);
	run_gnomon(&run, "run", "--control", "/nonexistent/socket", guest_path("exit-status-0"));
	expect_refusal(&run, 1, "No such file");
}

/* Garbage, depth, size and connections that come and go: the guest runs on, and others are served. */
Test(control, hostile_clients)
{
	static char big[1 << 20];
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	json_int_t before;
	unsigned seed = 7;

	start("nested", "1", "ticks", "ticking\n");
	strcpy(addr.sun_path, path);
	before = counter("exits");
	for (int i = 0; i < 60; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		cr_assert_eq(connect(fd, (void *)&addr, sizeof(addr)), 0);
		for (size_t n = 0; n < sizeof(big); n++)
			big[n] = i % 3 == 0 ? '[' : i % 3 == 1 ? 'x' : rand_r(&seed);
		big[0] = i % 3 == 1 ? '"' : big[0];
		/* As much as it takes: one that gets errors and reads none of them is soon left alone. */
		for (size_t at = 0; at < sizeof(big);) {
			ssize_t n = send(fd, big + at, sizeof(big) - at, MSG_NOSIGNAL | MSG_DONTWAIT);

			tell("query-status");
			if (n <= 0)
				break;
			at += n;
		}
		close(fd);
	}
	cr_expect_gt(counter("exits"), before);
	quit();
}

/* Says `begin`, `times` times `middle` (`len` bytes), `end` on the open connection, and expects one error. */
static void expect_one_error(const char *begin, const char *middle, size_t len, int times, const char *end)
{
	json_t *reply = NULL;

	cr_assert_eq(connection_say(&client, begin, strlen(begin)), 0);
	for (int i = 0; i < times; i++) {
		const int r = connection_say(&client, middle, len);

		cr_assert_eq(r, 0, "behind %s and %d times %zu bytes: %s", begin, i, len, strerror(-r));
	}
	cr_assert_eq(connection_say(&client, end, strlen(end)), 0);
	cr_assert_eq(connection_reply(&client, &reply), 0);
	cr_expect(json_object_get(reply, "error"), "%s", begin);
	json_decref(reply);
	tell("query-status"); /* its answer is the next: there was one error, and the connection lives */
}

/* Requests of 100 MB (a name), 10 MB (a number) and of 10,000 levels are one error each; the connection and the guest
 * go on, and nothing of them stays. */
Test(control, requests_beyond_all_bounds)
{
	static char chunk[1 << 20], brackets[10000];
	char file[64], text[4096] = "";
	FILE *f;

	memset(chunk, 'x', sizeof(chunk));
	start("nested", "1", "ticks", "ticking\n");
	expect_one_error("{\"execute\":\"", chunk, sizeof(chunk), 100, "\"}");
	memset(chunk, '1', sizeof(chunk));
	expect_one_error("{\"execute\":\"balloon\",\"arguments\":{\"value\":", chunk, sizeof(chunk), 10, "}}");
	memset(brackets, '[', sizeof(brackets));
	memset(chunk, ']', sizeof(brackets));
	chunk[sizeof(brackets)] = 0;
	expect_one_error("", brackets, sizeof(brackets), 1, chunk);
	snprintf(file, sizeof(file), "/proc/%d/status", run.pid);
	f = fopen(file, "r");
	cr_assert(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	cr_expect(strstr(text, "VmHWM:"));
	cr_expect_lt(strtoull(strstr(text, "VmHWM:") + 6, NULL, 10), 64u << 10, "kB: %s", text);
	quit();
}

/* Every line of a dump is a run of pages; the first gigabyte of the boot tables is there. */
Test(control, dump_tables)
{
	json_t *lines;

	start("nested", "1", "spin", "spinning\n");
	lines = ask("dump-tables", NULL);
	cr_expect(strstr(json_string_value(json_array_get(lines, 0)), "vCPU 0: root "));
	cr_expect(strstr(json_string_value(json_array_get(lines, 1)), "0000000000000000-"));
	json_decref(lines);
	lines = ask("dump-tables", json_pack("{s:s}", "stage", "stage2"));
	cr_expect_eq(json_array_size(lines), 1u, "all memory, one to one, in one run");
	cr_expect_str_eq(json_string_value(json_array_get(lines, 0)),
	                 "0000000000000000-0000000003ffffff -> 0000000000000000 rwx--------- 2M");
	json_decref(lines);
	lines = ask("query-status", NULL);
	cr_expect_str_eq(json_string_value(json_object_get(lines, "status")), "running", "the dump left it stopped");
	json_decref(lines);
	quit();
	start("shadow", "1", "spin", "spinning\n");
	lines = ask("dump-tables", json_pack("{s:s}", "stage", "shadow"));
	cr_expect_gt(json_array_size(lines), 1u);
	json_decref(lines);
	quit();
}

/* Guest tables that lead to themselves: a dump ends all the same. */
Test(control, dump_of_circles)
{
	json_t *lines;

	run_start(&run, (const char *const[]){"run", "--control", path, "--timeout", "100", "--memory", "64M",
	                                      guest_path("tables-in-circles"), NULL});
	run_until(&run, "circling\n");
	cr_assert_eq(connection_open(&client, path, ANSWER_MS), 0);
	lines = ask("dump-tables", NULL);
	cr_expect_gt(json_array_size(lines), 100u);
	cr_expect_str_eq(json_string_value(json_array_get(lines, json_array_size(lines) - 1)), "more was left out");
	json_decref(lines);
	quit();
}
