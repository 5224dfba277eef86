/* SPDX-License-Identifier: MIT */
/* What a process inherits from whoever started it, made into what Gnomon counts on. */
#ifndef GNOMON_BASE_PROCESS_H
#define GNOMON_BASE_PROCESS_H

#include <limits.h>
#include <signal.h>

#include "base/log.h"

/*
 * The first step of main():
 *   - Descriptors 0, 1 and 2 are open. /dev/null stands for one that was closed, or a file of ours would get its number
 *     and the guest's output. Nobody wants what goes to a stream that was closed: it is not lost.
 *   - No signal is blocked.
 *   - A write that fails is an error to be reported, not a signal (SIGPIPE, SIGXFSZ).
 *   - Children can be waited for (SIGCHLD), and SIGTERM ends the process.
 * SIGINT and SIGHUP stay ignored if they were: a shell's background job, nohup.
 */
void process_prepare(void);

/*
 * The second step: the main thread may have a stack of 8 MiB, or of as much as the user's hard limit allows. That is handed
 * on to children. -ENOMEM, logged: it allows less than 1 MiB, and results with deep nesting would end the process.
 */
int must_check process_enlarge_stack(void);

/* For a child before exec: undoes what process_prepare() changed and exec would hand on. Async-signal-safe. */
void process_prepare_child(void);

/*
 * Blocks SIGINT, SIGTERM and SIGHUP, less those that are ignored, in this thread and in those that it makes. Returns a
 * signalfd that reports them, non-blocking and the caller's to close. -errno, logged.
 */
int must_check process_catch_end(void);

/*
 * Between the two no signal ends or interrupts this thread: for the moments in which a file is there that is to go, or
 * half written. What came meanwhile acts then. SIGKILL acts at once, and in a process with more threads so does a signal
 * that ends it and that another thread does not block.
 */
void process_hold_signals(sigset_t *ret_before);
void process_let_signals(const sigset_t *before);

/* Paths of this program, with /proc or without: one that exec(2) takes; and the absolute one, -errno. */
const char *process_self(void);
int must_check process_program(char ret_path[PATH_MAX]);

#endif
