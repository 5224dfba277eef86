/* SPDX-License-Identifier: MIT */
/*
 * Runs one child process at a time, with a time limit. Catches its output and takes its times. No child outlives the
 * call, nor this process: the kernel kills it then.
 */
#ifndef GNOMON_BENCH_CHILD_H
#define GNOMON_BENCH_CHILD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"

#define CHILD_MAX_OUT 16384
#define CHILD_MAX_ERR 2048

struct child_limits {
	int signal_fd; /* a signalfd of blocked signals, any of which ends the run */
	int seconds;
};

struct child_result {
	int status; /* as wait(2) gives it */
	size_t out_len, err_len;
	char out[CHILD_MAX_OUT]; /* what came on its stdout */
	char err[CHILD_MAX_ERR]; /* the beginning of what came on its stderr */
	double first_ms;         /* from exec to the first byte on stdout; negative: no byte came */
	double exit_ms;          /* from exec to its end */
};

/*
 * Runs the program argv[0] with stdin from /dev/null. 0 when it ended by itself, with any status. -EINTR: a signal
 * came, and is left unread in signal_fd; -ETIMEDOUT; -EFBIG: its output does not fit; else -errno of the host. The
 * child is killed in each of these cases.
 */
int must_check child_exec(const char *const *argv, const struct child_limits *limits, struct child_result *ret);

/* The same for a function that runs in a forked child. Its value is the exit status. */
int must_check child_call(int (*run)(const void *arg), const void *arg, const struct child_limits *limits,
                          struct child_result *ret);

/*
 * Gives the peak resident memory (VmHWM) of such a program at its end, in KiB. Drops its output. Stops it by ptrace, so
 * its times mean nothing. (wait's ru_maxrss starts with the parent's peak.) -ENODATA: /proc does not tell it; -errno as
 * child_exec().
 */
int must_check child_peak_resident(const char *const *argv, const struct child_limits *limits, long *ret_kib);

/* True when the child exited with status 0. */
bool child_succeeded(const struct child_result *result);

/* One printable sentence on why child_exec() gave `r`, or why the child failed: its own first line if it wrote one. */
void child_reason(int r, const struct child_result *result, char *ret_text, size_t size);

#endif
