/* SPDX-License-Identifier: MIT */
#include "bench/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/process.h"
#include "bench/child_parts.h"

enum { FD_OUT, FD_ERR, FD_END, FD_SIGNAL, NR_FDS };

struct child_start {
	const char *const *argv;
	int (*run)(const void *arg);
	const void *arg;
	pid_t parent;
	int in, out, err;
	volatile double started; /* ms; written by the vforked child */
};

double child_clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

int child_begin(pid_t parent, int in, int out, int err)
{
	process_prepare_child();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || dup2(in, STDIN_FILENO) < 0 ||
	    dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0)
		return -1;
	return 0;
}

void child_kill(pid_t pid)
{
	int status;
	pid_t got;

	kill(pid, SIGKILL);
	do {
		got = waitpid(pid, &status, 0);
		if (got == pid && WIFSTOPPED(status))
			ptrace(PTRACE_DETACH, pid, 0L, 0L); /* a stop that was under way comes before the end */
	} while (got < 0 ? errno == EINTR : WIFSTOPPED(status));
}

/* vfork: a copy of this process's tables would be time that the program did not spend. */
static pid_t start_program(struct child_start *s)
{
	const pid_t pid = vfork();

	if (pid == 0) {
		if (child_begin(s->parent, s->in, s->out, s->err) == 0) {
			s->started = child_clock_ms();
			execv(s->argv[0], (char *const *)(uintptr_t)s->argv);
		}
		_exit(127);
	}
	return pid;
}

static pid_t start_call(struct child_start *s)
{
	const pid_t pid = fork();

	if (pid == 0)
		_exit(child_begin(s->parent, s->in, s->out, s->err) == 0 ? s->run(s->arg) : 127);
	s->started = child_clock_ms();
	return pid;
}

/* Bytes read, 0 at the end, -EAGAIN when there is nothing yet, other -errno. -EFBIG: it does not fit. */
static int take_output(int fd, struct child_result *ret, double started)
{
	const ssize_t n = read(fd, ret->out + ret->out_len, sizeof(ret->out) - ret->out_len);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (n > 0 && ret->out_len == 0)
		ret->first_ms = child_clock_ms() - started;
	ret->out_len += n;
	return ret->out_len == sizeof(ret->out) ? -EFBIG : (int)n;
}

/* As take_output; what does not fit is dropped. */
static int take_errors(int fd, struct child_result *ret)
{
	char more[512];
	const ssize_t n = read(fd, more, sizeof(more));
	size_t fits = sizeof(ret->err) - ret->err_len;

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if ((size_t)n < fits)
		fits = n;
	memcpy(ret->err + ret->err_len, more, fits);
	ret->err_len += fits;
	return n;
}

/* One read from each pipe that has something; a pipe at its end is taken out of the poll. */
static int take_both(struct pollfd *fds, double started, struct child_result *ret)
{
	for (int i = FD_OUT; i <= FD_ERR; i++) {
		int r;

		if (!fds[i].revents)
			continue;
		r = i == FD_OUT ? take_output(fds[i].fd, ret, started) : take_errors(fds[i].fd, ret);
		if (r < 0 && r != -EAGAIN)
			return r;
		if (r == 0)
			fds[i].fd = -1;
	}
	return 0;
}

/* Until the child's end and the last of its output. 0, or -errno with the child not reaped. */
static int follow(struct pollfd *fds, double started, int seconds, struct child_result *ret)
{
	const double deadline = started + seconds * 1e3;

	for (;;) {
		const double left = deadline - child_clock_ms();
		const bool ended = ret->exit_ms >= 0; /* before the poll, which then sees all it wrote */
		int r;

		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(fds, NR_FDS, ended ? 0 : (int)left + 1) < 0 && errno != EINTR)
			return -errno;
		if (fds[FD_SIGNAL].revents)
			return -EINTR;
		if (fds[FD_END].revents && !ended)
			ret->exit_ms = child_clock_ms() - started;
		r = take_both(fds, started, ret);
		if (r < 0)
			return r;
		if (ended && !(fds[FD_OUT].revents & POLLIN) && !(fds[FD_ERR].revents & POLLIN))
			return 0;
	}
}

/* The child that runs, to its end. */
static int watch(pid_t pid, double started, const int *pipes, const struct child_limits *limits,
                 struct child_result *ret)
{
	struct pollfd fds[NR_FDS] = {[FD_OUT] = {.fd = pipes[0], .events = POLLIN},
	                             [FD_ERR] = {.fd = pipes[1], .events = POLLIN},
	                             [FD_END] = {.fd = pidfd_open(pid, 0), .events = POLLIN},
	                             [FD_SIGNAL] = {.fd = limits->signal_fd, .events = POLLIN}};
	const int end = fds[FD_END].fd;
	int r = end < 0 ? -errno : follow(fds, started, limits->seconds, ret);

	if (end >= 0)
		close(end);
	if (r < 0)
		child_kill(pid);
	else if (waitpid(pid, &ret->status, 0) < 0)
		r = -errno;
	return r;
}

/* A pipe of which only the reading end must not block. */
static int open_pipe(int *ret_read, int *ret_write)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) < 0)
		return -errno;
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	*ret_read = fd[0];
	*ret_write = fd[1];
	return 0;
}

static void close_open(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int run_child(struct child_start *s, const struct child_limits *limits, struct child_result *ret)
{
	int pipes[2] = {-1, -1}, r = 0;
	pid_t pid = -1;

	*ret = (struct child_result){.first_ms = -1, .exit_ms = -1};
	s->parent = getpid();
	s->out = s->err = -1;
	s->in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (s->in < 0)
		r = -errno;
	if (r == 0)
		r = open_pipe(&pipes[0], &s->out);
	if (r == 0)
		r = open_pipe(&pipes[1], &s->err);
	if (r == 0) {
		pid = s->argv ? start_program(s) : start_call(s);
		r = pid < 0 ? -errno : 0;
	}
	close_open(&s->in);
	close_open(&s->out);
	close_open(&s->err);
	if (r == 0)
		r = watch(pid, s->started, pipes, limits, ret);
	close_open(&pipes[0]);
	close_open(&pipes[1]);
	return r;
}

int child_exec(const char *const *argv, const struct child_limits *limits, struct child_result *ret)
{
	struct child_start start = {.argv = argv};

	return run_child(&start, limits, ret);
}

int child_call(int (*run)(const void *arg), const void *arg, const struct child_limits *limits,
               struct child_result *ret)
{
	struct child_start start = {.run = run, .arg = arg};

	return run_child(&start, limits, ret);
}
