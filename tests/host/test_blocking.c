/* SPDX-License-Identifier: MIT */
/*
 * Outputs that take nothing: a full pipe, a FIFO whose reader never comes or sleeps, a stopped terminal. A guest waits
 * for the reader of its console; the end of a run waits for nobody for long, and for nobody at all when it is told to.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "process_look.h"
#include "surroundings.h"

static struct run r;

static void setup(void)
{
	need_kvm();
	dir_make();
}

TestSuite(blocking, .init = setup, .fini = dir_remove);

static int blocked; /* the descriptor in which nothing fits; its reader sleeps */

static void fill_both(void)
{
	int fds[2];

	if (pipe(fds) < 0)
		_exit(254);
	fill_pipe(fds[1]);
	for (int fd = 1; fd <= 2; fd++)
		if (blocked >> fd & 1)
			dup2(fds[1], fd);
	close(fds[1]);
	fcntl(fds[0], F_SETFD, 0); /* gnomon keeps it open, and never reads */
}

/* A terminal that somebody stopped with ^S. */
static void stop_terminal(void)
{
	int master, slave;

	if (openpty(&master, &slave, NULL, NULL, NULL) < 0 || tcflow(slave, TCOOFF) < 0)
		_exit(254);
	for (int fd = 1; fd <= 2; fd++)
		if (blocked >> fd & 1)
			dup2(slave, fd);
	close(slave);
	fcntl(master, F_SETFD, 0);
}

/* A terminal that nobody reads: what it takes is a part of a line. */
static void fill_terminal(void)
{
	int master, slave;
	const int last = openpty(&master, &slave, NULL, NULL, NULL);

	if (last < 0)
		_exit(254);
	fill_pipe(slave);
	for (int fd = 1; fd <= 2; fd++)
		if (blocked >> fd & 1)
			dup2(slave, fd);
	close(slave);
	fcntl(master, F_SETFD, 0);
}

/* The same, where no timer can be had. */
static void fill_terminal_without_timers(void)
{
	fill_terminal();
	without_signal_queue();
}

static void (*const kinds[])(void) = {fill_both, stop_terminal, fill_terminal, fill_terminal_without_timers};

/* Each way in which a run ends by itself, with stderr, stdout or both stuck: the status says which it was. */
Test(blocking, ends_by_itself)
{
	for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
		r.surroundings = kinds[k];
		blocked = 6;
		run_gnomon(&r, "run", "--cpus", "4", "--timeout", "1", guest_path("spin-on-4-cpus"));
		cr_assert_eq(r.status, 126, "kind %zu: %d", k, r.status);
		blocked = 4;
		run_gnomon(&r, "run", "--paging", k ? "shadow" : "nested", guest_path("triple-fault"));
		cr_assert_eq(r.status, 126, "kind %zu: %d", k, r.status);
		run_gnomon(&r, "run");
		cr_assert_eq(r.status, 2, "kind %zu: %d", k, r.status);
		blocked = 2;
		run_gnomon(&r, "run", "--timeout", "1", guest_path("console-endless"));
		cr_assert_eq(r.status, 126, "kind %zu: %d %s", k, r.status, r.err);
	}
}

/* Once its socket is there it runs, or is about to wait for its reader. */
static void wait_for_socket(const char *path)
{
	struct limit limit = {0};

	while (access(path, F_OK) < 0 && !limit_over(&limit))
		usleep(10000);
	usleep(50000);
}

/* SIGTERM ends it, wherever it waits. */
Test(blocking, ends_when_told)
{
	char path[128];

	snprintf(path, sizeof(path), "%s", in_dir("socket"));
	for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
		r.surroundings = kinds[k];
		for (blocked = 2; blocked <= 6; blocked += 2) {
			run_start(&r,
			          (const char *const[]){"run", "--control", path, guest_path("console-endless"), NULL});
			wait_for_socket(path);
			kill(r.pid, SIGTERM);
			run_finish(&r);
			cr_assert_eq(r.status, 130, "kind %zu, %d blocked: %d", k, blocked, r.status);
		}
	}
}

/* Reports wait for their reader as any program does; a signal ends them, bench with its own status. */
Test(blocking, reports)
{
	r.surroundings = fill_both;
	blocked = 2;
	run_start(&r, (const char *const[]){"host", NULL});
	await_sleep(r.pid);
	kill(r.pid, SIGTERM);
	run_finish(&r);
	cr_assert_eq(r.status, 128 + SIGTERM);
	for (useconds_t us = 0; us <= 500000; us = 2 * us + 20000) {
		run_start(&r, (const char *const[]){"bench", "--only", "startup", "--runs", "1", NULL});
		await_heed(r.pid, SIGTERM);
		usleep(us); /* wherever it is then */
		kill(r.pid, SIGTERM);
		run_finish(&r);
		cr_assert_eq(r.status, 130, "%d %s", r.status, r.err);
	}
}

/* ^C ends a bench whose text nobody reads. What was measured is in the files all the same, and that is said. */
Test(blocking, files_of_a_bench_without_a_reader)
{
	char json[128], csv[128];
	json_t *root;

	snprintf(json, sizeof(json), "%s", in_dir("json"));
	snprintf(csv, sizeof(csv), "%s", in_dir("csv"));
	blocked = 2;
	r.surroundings = fill_both;
	run_start(&r, (const char *const[]){"bench", "--only", "startup", "--runs", "1", "--json", json, "--csv", csv,
	                                    "--plot", in_dir("plot"), NULL});
	await_sleep(r.pid); /* what is measured runs in children, one after the other */
	kill(r.pid, SIGINT);
	run_finish(&r);
	cr_assert_eq(r.status, 130, "%d %s", r.status, r.err);
	cr_expect(strstr(r.err, "interrupted: tables have what was measured until then"), "%s", r.err);
	root = json_load_file(json, 0, NULL);
	cr_expect_eq(json_array_size(json_object_get(root, "tables")), 1u, "no table");
	json_decref(root);
	cr_expect(strstr(content(csv), "program,") && strstr(content(in_dir("plot/startup.csv")), "program,"));
}

/* --- the file of --stats --- */

/* A guest that ends at once, with `stats` as the file of its statistics. */
static void run_with_stats(const char *stats)
{
	run_gnomon(&r, "run", "--stats", stats, guest_path("exit-status-0"));
}

Test(blocking, fifo_without_reader)
{
	cr_assert_eq(mkfifo(in_dir("fifo"), 0600), 0);
	run_with_stats(in_dir("fifo"));
	expect_line(&r, 1, "fifo: nobody reads it");
	run_gnomon(&r, "run", "--stats", in_dir("fifo"), guest_path("exit-status-7"));
	expect_line(&r, 7, "fifo: nobody reads it");
}

/* A signal ends the guest, and its numbers still wait for their reader; a second one ends that, too. */
Test(blocking, fifo_and_a_signal)
{
	cr_assert_eq(mkfifo(in_dir("fifo"), 0600), 0);
	run_start(&r, (const char *const[]){"run", "--stats", in_dir("fifo"), guest_path("spin"), NULL});
	run_until(&r, "spinning\n");
	kill(r.pid, SIGTERM);
	run_finish(&r);
	cr_assert_eq(r.status, 130);
	cr_assert(strstr(r.err, "gnomon: interrupted") && strstr(r.err, "fifo: nobody reads it"), "%s", r.err);
	run_start(&r, (const char *const[]){"run", "--stats", in_dir("fifo"), guest_path("spin"), NULL});
	run_until(&r, "spinning\n");
	kill(r.pid, SIGTERM);
	kill(r.pid, SIGINT);
	run_finish(&r);
	cr_assert_eq(r.status, 130);
	cr_assert(strstr(r.err, "--stats: cannot write ") && strstr(r.err, "fifo: "), "%s", r.err);
}

/* A reader that has opened a FIFO and sleeps, with nothing of it or a part of it taken. */
Test(blocking, fifo_whose_reader_sleeps)
{
	int fd;

	cr_assert_eq(mkfifo(in_dir("fifo"), 0600), 0);
	fd = open(in_dir("fifo"), O_RDWR | O_CLOEXEC);
	fcntl(fd, F_SETPIPE_SZ, 4096);
	run_with_stats(in_dir("fifo"));
	expect_line(&r, 1, "fifo: nobody reads it");
	fill_pipe(fd);
	run_with_stats(in_dir("fifo"));
	expect_line(&r, 1, "fifo: nobody reads it");
	close(fd);
}

/* A reader that is there has all of it, and how fast he reads does not matter. */
Test(blocking, fifo_with_a_reader)
{
	static char text[1 << 20];
	int fd;

	cr_assert_eq(mkfifo(in_dir("fifo"), 0600), 0);
	fd = open(in_dir("fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	cr_assert_geq(fcntl(fd, F_SETPIPE_SZ, sizeof(text)), 0);
	run_gnomon(&r, "run", "--cpus", "8", "--stats", in_dir("fifo"), guest_path("exit-status-0"));
	expect_status(&r, 0);
	cr_assert_gt(read(fd, text, sizeof(text) - 1), 4096);
	cr_assert(strstr(text, "]]}\n"));
	close(fd);
}
