/* SPDX-License-Identifier: MIT */
/* What a child that failed has to say, and how much memory one took. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/child.h"
#include "bench/child_parts.h"

#define POLL_MS 1

bool child_succeeded(const struct child_result *result)
{
	return WIFEXITED(result->status) && WEXITSTATUS(result->status) == 0;
}

/* The first line of its stderr, without our own prefix, as printable ASCII. */
static void first_line(const struct child_result *result, char *ret_text, size_t size)
{
	static const char prefix[] = "gnomon: ";
	const char *p = result->err, *const end = result->err + result->err_len;
	size_t n = 0;

	if (result->err_len >= strlen(prefix) && memcmp(p, prefix, strlen(prefix)) == 0)
		p += strlen(prefix);
	for (; p < end && *p != '\n' && n + 1 < size; p++)
		ret_text[n++] = *p >= ' ' && *p <= '~' ? *p : '?';
	ret_text[n] = 0;
}

void child_reason(int r, const struct child_result *result, char *ret_text, size_t size)
{
	if (r == -ETIMEDOUT)
		snprintf(ret_text, size, "it did not end in time and was killed");
	else if (r == -EFBIG)
		snprintf(ret_text, size, "it wrote more than %d bytes and was killed", CHILD_MAX_OUT);
	else if (r < 0)
		snprintf(ret_text, size, "it could not be run: %s", strerror(-r));
	else if (result->err_len)
		first_line(result, ret_text, size);
	else if (WIFSIGNALED(result->status) && WTERMSIG(result->status) == SIGKILL)
		snprintf(ret_text, size,
		         "it was killed by signal 9, as the kernel does when memory, or what a cgroup may have of it, "
		         "is used up");
	else if (WIFSIGNALED(result->status))
		snprintf(ret_text, size, "it was killed by signal %d", WTERMSIG(result->status));
	else
		snprintf(ret_text, size, "it ended with status %d", WEXITSTATUS(result->status));
}

/* Waits for the next stop or the end of a traced child. 0 or -errno. */
static int next_stop(pid_t pid, const struct child_limits *limits, double deadline, int *ret_status)
{
	struct pollfd signals = {.fd = limits->signal_fd, .events = POLLIN};

	for (;;) {
		const pid_t got = waitpid(pid, ret_status, WNOHANG);

		if (got == pid)
			return 0;
		if (got < 0 && errno != EINTR)
			return -errno;
		if (child_clock_ms() > deadline)
			return -ETIMEDOUT;
		if (poll(&signals, 1, POLL_MS) > 0)
			return -EINTR;
	}
}

/* VmHWM of a process that has stopped. -ENODATA. */
static int read_peak(pid_t pid, long *ret_kib)
{
	char path[48], line[128];
	int r = -ENODATA;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return r;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %ld kB", ret_kib) == 1)
			r = 0;
	fclose(f);
	return r;
}

/* From the stop after exec to the stop at the end, where the memory is still there. */
static int trace_to_end(pid_t pid, const struct child_limits *limits, long *ret_kib)
{
	const double deadline = child_clock_ms() + limits->seconds * 1e3;
	int status, r = next_stop(pid, limits, deadline, &status);

	if (r == 0 && !WIFSTOPPED(status))
		return -ECHILD; /* it could not be started, and is reaped */
	if (r == 0 && ptrace(PTRACE_SETOPTIONS, pid, 0L, PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL) < 0)
		r = -errno;
	while (r == 0) {
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8)) {
			r = read_peak(pid, ret_kib);
			break;
		}
		if (ptrace(PTRACE_CONT, pid, 0L, 0L) < 0)
			r = -errno;
		else
			r = next_stop(pid, limits, deadline, &status);
		if (r == 0 && !WIFSTOPPED(status))
			return -ECHILD; /* ended without the stop */
	}
	ptrace(PTRACE_DETACH, pid, 0L, 0L); /* from its stop, where no signal reaches it; fails if it runs */
	child_kill(pid);
	return r;
}

int child_peak_resident(const char *const *argv, const struct child_limits *limits, long *ret_kib)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const pid_t parent = getpid();
	pid_t pid;
	int r;

	if (null < 0)
		return -errno;
	pid = vfork();
	if (pid == 0) {
		if (child_begin(parent, null, null, null) == 0 && ptrace(PTRACE_TRACEME, 0, 0L, 0L) == 0)
			execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	r = pid < 0 ? -errno : trace_to_end(pid, limits, ret_kib);
	close(null);
	return r;
}
