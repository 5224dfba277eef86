/* SPDX-License-Identifier: MIT */
/* The first and the last step of every command: what is inherited is put right, and what is lost is noticed. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/output.h"
#include "base/patience.h"
#include "base/process.h"

static bool ignored(int sig)
{
	struct sigaction now;

	cr_assert_eq(sigaction(sig, NULL, &now), 0);
	return now.sa_handler == SIG_IGN;
}

static bool anything_blocked(void)
{
	sigset_t now;

	sigprocmask(SIG_BLOCK, NULL, &now);
	for (int sig = 1; sig <= SIGRTMAX; sig++)
		if (sigismember(&now, sig) == 1)
			return true;
	return false;
}

Test(process, signals)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	for (int sig = 1; sig < SIGRTMAX; sig++)
		signal(sig, SIG_IGN);
	process_prepare();
	cr_expect_not(anything_blocked());
	cr_expect(ignored(SIGPIPE) && ignored(SIGXFSZ));
	cr_expect(ignored(SIGINT) && ignored(SIGHUP), "background jobs, nohup");
	cr_expect_not(ignored(SIGCHLD) || ignored(SIGTERM));
	process_prepare_child();
	cr_expect_not(anything_blocked());
	cr_expect_not(ignored(SIGPIPE) || ignored(SIGXFSZ));
	cr_expect(ignored(SIGINT) && ignored(SIGHUP) && ignored(SIGUSR1), "what others want of the child, too, stays");
}

/* Of the signals that end a run those that are ignored are not reported. */
Test(process, catches_the_end)
{
	struct signalfd_siginfo info;
	int fd;

	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_IGN);
	fd = process_catch_end();
	cr_assert_geq(fd, 0);
	raise(SIGHUP);
	cr_expect(read(fd, &info, sizeof(info)) < 0 && errno == EAGAIN);
	raise(SIGINT);
	raise(SIGTERM);
	cr_expect(read(fd, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == SIGINT);
	cr_expect(read(fd, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == SIGTERM);
}

/* In a child, for Criterion needs its own descriptors: bit n of the status is set when n is not as it should be. */
static int fill(int closed)
{
	const pid_t pid = fork();
	int status, bad = 0;

	if (pid == 0) {
		for (int fd = 0; fd <= 2; fd++)
			if (closed >> fd & 1)
				close(fd);
		process_prepare();
		for (int fd = 0; fd <= 2; fd++)
			if (fcntl(fd, F_GETFD) < 0 || (closed >> fd & 1 && fd && write(fd, "x", 1) != 1))
				bad |= 1 << fd;
		if (open("/dev/null", O_RDONLY) < 3)
			bad |= 8;
		_exit(bad);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

Test(process, descriptors)
{
	for (int closed = 0; closed < 8; closed++)
		cr_expect_eq(fill(closed), 0, "closed %d: %d", closed, fill(closed));
}

Test(process, own_path)
{
	char path[PATH_MAX];

	cr_assert_eq(process_program(path), 0);
	cr_expect(*path == '/' && access(path, X_OK) == 0, "%s", path);
	cr_expect_eq(access(process_self(), X_OK), 0);
}

/* --- patience --- */

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void full_pipe(int ends[2])
{
	static const char some[4096];

	cr_assert_eq(pipe(ends), 0);
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	while (write(ends[1], some, sizeof(some)) > 0)
		;
	fcntl(ends[1], F_SETFL, 0);
}

/* Gives up in time, though the descriptor blocks; also with room for a part only, which poll(2) does not say. */
Test(patience, times_out)
{
	static const char big[1 << 20];
	const struct patience p = {.give_up_fd = -1, .ms = 100};
	int ends[2];
	double start;

	full_pipe(ends);
	start = now_s();
	cr_expect_eq(patience_write(&p, ends[1], "x", 1), -ETIMEDOUT);
	cr_expect_geq(now_s() - start, 0.099);
	cr_assert_eq(pipe(ends), 0);
	cr_expect_eq(patience_write(&p, ends[1], big, sizeof(big)), -ETIMEDOUT);
}

Test(patience, gives_up)
{
	static const char big[1 << 20];
	int ends[2], end[2];
	struct patience p = {.ms = -1};

	cr_assert_eq(pipe(end), 0);
	p.give_up_fd = end[0];
	full_pipe(ends);
	cr_assert_eq(write(end[1], "x", 1), 1);
	cr_expect_eq(patience_write(&p, ends[1], "x", 1), -ECANCELED);
	cr_assert_eq(pipe(ends), 0);
	cr_expect_eq(patience_write(&p, ends[1], "x", 1), 0, "what there is room for is written");
	cr_expect_eq(patience_write(&p, ends[1], big, sizeof(big)), -ECANCELED);
}

/* A reader that is slow, but reads: all of it arrives, blocking or not. */
Test(patience, waits_while_it_is_read)
{
	const struct patience p = {.give_up_fd = -1, .ms = 60000};
	static char text[1 << 18], got[1 << 18];
	int ends[2], status;
	pid_t reader;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 7 / 3);
	for (int flags = 0; flags <= O_NONBLOCK; flags += O_NONBLOCK) {
		cr_assert_eq(pipe(ends), 0);
		fcntl(ends[1], F_SETFL, flags);
		reader = fork();
		if (reader == 0) {
			size_t n = 0;

			while (n < sizeof(got) && usleep(100) == 0)
				n += (size_t)read(ends[0], got + n, 3000);
			_exit(memcmp(got, text, sizeof(got)) != 0);
		}
		cr_expect_eq(patience_write(&p, ends[1], text, sizeof(text)), 0);
		waitpid(reader, &status, 0);
		cr_expect_eq(status, 0);
	}
}

Test(patience, errors)
{
	const struct patience p = {.give_up_fd = -1, .ms = -1};
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	cr_assert_eq(pipe(ends), 0);
	close(ends[0]);
	cr_expect_eq(patience_write(&p, ends[1], "x", 1), -EPIPE);
	cr_expect_eq(patience_write(&p, open("/dev/full", O_WRONLY), "x", 1), -ENOSPC);
	cr_expect_eq(patience_write(&p, open("/dev/null", O_RDONLY), "x", 1), -EBADF);
	cr_expect_eq(patience_write(&p, 999, "x", 1), -EBADF);
	cr_expect_eq(patience_write(&p, open("/", O_PATH), "x", 1), -EBADF);
}

/* Where poll(2) takes no two descriptors (ulimit -n 1), words arrive all the same, and time limits hold. */
Test(patience, without_poll)
{
	const struct patience p = {.give_up_fd = -1, .ms = 100};
	int empty[2], full[2], status;
	char got[2];
	pid_t child;

	cr_assert_eq(pipe(empty), 0);
	full_pipe(full);
	child = fork();
	if (child == 0) {
		if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){1, 1}) < 0 || patience_write(&p, empty[1], "ab", 2) < 0)
			_exit(1);
		_exit(patience_write(&p, full[1], "x", 1) == -ETIMEDOUT ? 0 : 2);
	}
	waitpid(child, &status, 0);
	cr_assert_eq(status, 0);
	cr_expect_eq(read(empty[0], got, 2), 2);
}

/* --- output --- */

/* What output_end() makes of `status` when stdout is `path`, and what it says on stderr. */
static int end_with(const char *path, int status, char *ret_said, size_t size)
{
	int ends[2], r;
	ssize_t n;
	pid_t pid;

	cr_assert_eq(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		dup2(open(path, O_WRONLY), STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		process_prepare();
		output_prepare();
		printf("some words");
		_exit(output_end(status));
	}
	close(ends[1]);
	n = read(ends[0], ret_said, size - 1);
	ret_said[n > 0 ? n : 0] = 0;
	close(ends[0]);
	waitpid(pid, &r, 0);
	return WEXITSTATUS(r);
}

Test(output, status)
{
	char said[256];

	cr_expect_eq(end_with("/dev/null", 0, said, sizeof(said)), 0);
	cr_expect_str_eq(said, "");
	cr_expect_eq(end_with("/dev/null", 3, said, sizeof(said)), 3);
	cr_expect_eq(end_with("/dev/full", 0, said, sizeof(said)), 1);
	cr_expect_str_eq(said, "gnomon: cannot write to standard output: No space left on device\n");
	cr_expect_eq(end_with("/dev/full", 130, said, sizeof(said)), 130);
	cr_expect_str_eq(said, "gnomon: cannot write to standard output: No space left on device\n");
}

/* What was said while somebody could end the wait is not waited for when nobody can any more. */
Test(output, given_up, .timeout = 60)
{
	int ends[2], end[2], r;
	pid_t pid;

	full_pipe(ends);
	cr_assert_eq(pipe(end), 0);
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		process_prepare();
		output_prepare();
		output_give_up_on(end[0]);
		printf("some words");
		if (write(end[1], "x", 1) != 1)
			_exit(1);
		output_give_up_on(-1);
		_exit(output_end(130));
	}
	waitpid(pid, &r, 0);
	cr_expect(WIFEXITED(r) && WEXITSTATUS(r) == 130, "%#x", r);
}
