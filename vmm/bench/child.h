/* SPDX-License-Identifier: MIT */
/*
 * One child process at a time, with a time limit, its output caught and its times taken. Whatever
 * happens, no child outlives the call, nor this process: the kernel kills it then.
 */
#ifndef GNOMON_BENCH_CHILD_H
#define GNOMON_BENCH_CHILD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"

#define CHILD_MAX_OUT 16384
#define CHILD_MAX_ERR 2048

struct child_limits {
	int signal_fd; /* a signalfd of signals that are blocked: one of them ends everything */
	int seconds;
};

struct child_result {
	int status; /* as wait(2) gives it */
	size_t out_len, err_len;
	char out[CHILD_MAX_OUT]; /* what came on its stdout */
	char err[CHILD_MAX_ERR]; /* the beginning of what came on its stderr */
	double first_ms;         /* from exec to the first byte on stdout; negative: there was none */
	double exit_ms;          /* from exec to its end */
};

/*
 * Runs the program argv[0] with stdin from /dev/null. 0 when it ended by itself, whatever its status.
 * -EINTR: a signal came (left unread in signal_fd); -ETIMEDOUT; -EFBIG: more output than fits; else -errno of the
 * host. In each of these cases the child was killed.
 */
int must_check child_exec(const char *const *argv, const struct child_limits *limits, struct child_result *ret);

/* As child_exec, for a function that runs in a forked child and gives its exit status. */
int must_check child_call(int (*run)(const void *arg), const void *arg, const struct child_limits *limits,
                          struct child_result *ret);

/*
 * Peak resident memory (VmHWM) of such a program at its end, in KiB; its output is dropped. Stops it there by ptrace:
 * not for timing. Wait's ru_maxrss would not do, it starts with the parent's. -errno as child_exec.
 */
int must_check child_peak_resident(const char *const *argv, const struct child_limits *limits, long *ret_kib);

/* True when the child exited with status 0. */
bool child_succeeded(const struct child_result *result);

/* One sentence on why child_exec gave `r`, or why the child failed: its own first line where it has one. Printable. */
void child_reason(int r, const struct child_result *result, char *ret_text, size_t size);

#endif
