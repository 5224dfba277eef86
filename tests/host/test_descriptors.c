/* SPDX-License-Identifier: MIT */
/*
 * Standard descriptors that are closed, or that nothing can be written to. Closed ones want nothing and change
 * nothing else; for a write that fails every command ends with 1, and says why.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "surroundings.h"

static struct run r;

TestSuite(descriptors, .init = vm_start_idle, .fini = vm_quit);

/* The table is asked in all of these tests: a command that is not in it would go untested. */
Test(descriptors, table_has_every_command)
{
	char *line, *rest, name[32];
	int n = 0;

	run_gnomon(&r, "--help");
	expect_status(&r, 0);
	for (line = strtok_r(r.out, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		bool there = false;

		if (sscanf(line, "  %31[a-z] ", name) != 1)
			continue;
		for (int i = 0; i < nr_commands; i++)
			there |= strcmp(every_command[i].args[0], name) == 0;
		cr_expect(there, "%s", name);
		n++;
	}
	cr_expect_gt(n, 14);
}

static int closed; /* bit n: descriptor n */

static void close_some(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (closed >> fd & 1)
			close(fd);
}

/* A quick command for each way to write: every combination. The rest: all three. */
Test(descriptors, closed_at_the_start)
{
	static const char *const quick[] = {"--version", "run", "host", "ctl"};

	r.surroundings = close_some;
	for (int i = 0; i < nr_commands; i++) {
		const char *const *args = command_args(&every_command[i]);
		bool all = false;

		for (size_t q = 0; q < sizeof(quick) / sizeof(*quick); q++)
			all |= strcmp(args[0], quick[q]) == 0 && strcmp(args[1] ? args[1] : "", "--help") != 0;
		for (closed = all ? 1 : 7; closed <= 7; closed++) {
			run_args(&r, args);
			cr_assert_eq(r.status, 0, "%s %s, closed %d: status %d: %s", args[0], args[1], closed, r.status,
			             r.err);
			if (!(closed & 2))
				cr_assert(strstr(r.out, every_command[i].words), "%s, closed %d: %s", args[0], closed,
				          r.out);
		}
	}
}

/* The guest's status and the reason of its end do not depend on them either; nor does what refuses to start. */
Test(descriptors, closed_and_the_guest_fails)
{
	r.surroundings = close_some;
	for (closed = 1; closed <= 7; closed++) {
		run_gnomon(&r, "run", guest_path("exit-status-7"));
		cr_assert_eq(r.status, 7);
		run_gnomon(&r, "run", guest_path("unmapped-read"));
		cr_assert_eq(r.status, 126);
		run_gnomon(&r, "run", "/nonexistent/image");
		cr_assert_eq(r.status, 2);
	}
	closed = 7;
	run_gnomon(&r, "run", "--timeout", "1", guest_path("spin"));
	cr_assert_eq(r.status, 126);
}

/* A file of gnomon's own that got number 1 or 2 would now hold what the guest or gnomon said. */
Test(descriptors, closed_and_files_are_written)
{
	r.surroundings = close_some;
	for (closed = 1; closed <= 7; closed++) {
		run_gnomon(&r, "run", "--stats", in_dir("stats"), kernel_path(), "--", "hello");
		cr_assert_eq(r.status, 0);
		cr_assert_eq(strncmp(content(in_dir("stats")), "{\"version\":1,", 13), 0, "closed %d: %.300s", closed,
		             content(in_dir("stats")));
	}
}

/* Each command, or each n-th, loses its output, and says so with the reason. */
static void lost(void (*surroundings)(void), const char *reason, int n)
{
	r.surroundings = surroundings;
	for (int i = 0; i < nr_commands; i += n) {
		run_args(&r, command_args(&every_command[i]));
		expect_line(&r, 1, reason);
		cr_assert(strstr(r.err, "cannot write"), "%s", r.err);
	}
}

static void full_disk(void)
{
	stdout_to("/dev/full", O_WRONLY);
}

Test(descriptors, full_disk)
{
	lost(full_disk, "No space left on device", 1);
}

static void read_only(void)
{
	stdout_to("/dev/null", O_RDONLY);
}

Test(descriptors, not_for_writing)
{
	lost(read_only, "Bad file descriptor", 1);
}

static int how; /* SIGPIPE is left alone, ignored or blocked */

static void reader_is_gone(void)
{
	sigset_t set;
	int fds[2];

	if (how == 1)
		signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	if (how == 2)
		sigprocmask(SIG_BLOCK, &set, NULL);
	if (pipe(fds) < 0 || dup2(fds[1], STDOUT_FILENO) < 0)
		_exit(254);
	close(fds[0]);
	close(fds[1]);
}

Test(descriptors, reader_is_gone)
{
	for (how = 0; how < 3; how++) /* what is inherited is put right in one place, before the command is known */
		lost(reader_is_gone, "Broken pipe", how ? 7 : 1);
}

/* What the guest says of itself comes before what became of its words. */
Test(descriptors, lost_and_the_guest_fails)
{
	r.surroundings = full_disk;
	run_gnomon(&r, "run", kernel_path(), "--", "crash", "panic");
	expect_line(&r, 99, "cannot write the guest's console: No space left on device");
	run_gnomon(&r, "run", guest_path("exit-status-0")); /* which says nothing */
	expect_status(&r, 0);
	run_gnomon(&r, "run", "--timeout", "1", kernel_path(), "--", "crash", "spin");
	cr_assert_eq(r.status, 126, "%d %s", r.status, r.err);
}

/* Lost words on stderr cost neither the status nor what is on stdout. */
static void stderr_full(void)
{
	const int fd = open("/dev/full", O_WRONLY);

	dup2(fd, STDERR_FILENO);
}

Test(descriptors, no_room_for_messages)
{
	r.surroundings = stderr_full;
	run_gnomon(&r, "run", guest_path("unmapped-read"));
	cr_assert_eq(r.status, 126);
	run_gnomon(&r, "run", "/nonexistent/image");
	cr_assert_eq(r.status, 2);
	run_gnomon(&r, "frobnicate");
	cr_assert_eq(r.status, 2);
}

/* Others may have left the pipe non-blocking: the console and reports come out whole all the same. */
static void non_blocking(void)
{
	fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);
	fcntl(STDOUT_FILENO, F_SETPIPE_SZ, 4096);
}

Test(descriptors, non_blocking)
{
	static struct run plain;

	run_gnomon(&plain, "run", guest_path("console-bytes"));
	r.surroundings = non_blocking;
	run_gnomon(&r, "run", guest_path("console-bytes"));
	expect_status(&r, 0);
	cr_assert(r.out_len == plain.out_len && memcmp(r.out, plain.out, r.out_len) == 0);
	run_gnomon(&plain, "ctl", "--help");
	run_gnomon(&r, "ctl", "--help");
	expect_status(&r, 0);
	cr_assert_str_eq(r.out, plain.out);
}
