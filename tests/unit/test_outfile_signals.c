/* SPDX-License-Identifier: MIT */
/*
 * A signal while a file is made or written, at the worst moments: right after a file was made that is to go, and when all
 * is written and the earlier file still there. The process ends by that signal, and leaves nothing behind.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "outfile_dir.h"

TestSuite(outfile_signals, .init = outfile_dir_make, .fini = outfile_dir_drop);

static int at_fallocate, at_fsync; /* the signal that comes then */

/* The linker has outfile.c call these. */
int __wrap_fallocate64(int fd, int mode, off_t from, off_t len);
int __real_fallocate64(int fd, int mode, off_t from, off_t len);
int __wrap_fsync(int fd);
int __real_fsync(int fd);

int __wrap_fallocate64(int fd, int mode, off_t from, off_t len)
{
	if (at_fallocate)
		kill(getpid(), at_fallocate);
	return __real_fallocate64(fd, mode, from, len);
}

int __wrap_fsync(int fd)
{
	if (at_fsync)
		kill(getpid(), at_fsync);
	return __real_fsync(fd);
}

static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGUSR1};

/* The child's function ends by the signal, not by itself. */
static void expect_ended_by(int sig, void (*function)(const char *path), const char *path)
{
	const pid_t pid = fork();
	int status;

	if (pid == 0) {
		signal(sig, SIG_DFL);
		function(path);
		_exit(1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == sig, "signal %d, %s: %x", sig, path, status);
}

static void check_it(const char *path)
{
	(void)!check(path);
}

static void write_it(const char *path)
{
	(void)!write_text(path, "new\n");
}

Test(outfile_signals, before_the_work)
{
	put("old", "old\n");
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		at_fallocate = ends[i];
		expect_ended_by(ends[i], check_it, "old");
		expect_ended_by(ends[i], check_it, "new");
		cr_expect_eq(entries("."), 1, "signal %d left something", ends[i]);
		cr_expect_str_eq(content("old"), "old\n");
	}
}

/* What was begun is completed, beside the earlier file or in its place. */
Test(outfile_signals, at_the_end)
{
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		put("old", "old and longer\n");
		put("one", "old and longer\n");
		cr_assert_eq(link("one", "two"), 0);
		at_fsync = ends[i];
		expect_ended_by(ends[i], write_it, "old");
		expect_ended_by(ends[i], write_it, "new");
		at_fsync = 0;
		at_fallocate = ends[i];
		expect_ended_by(ends[i], write_it, "two");
		at_fallocate = 0;
		cr_expect_str_eq(content("old"), "new\n");
		cr_expect_str_eq(content("new"), "new\n");
		cr_expect_str_eq(content("one"), "new\n");
		cr_expect_eq(entries("."), 4, "signal %d left something", ends[i]);
		cr_assert(unlink("new") == 0 && unlink("two") == 0);
	}
}
