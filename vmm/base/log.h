/* SPDX-License-Identifier: MIT */
/*
 * Words to the user, and the end of the road for our own bugs. Three kinds of
 * failure are never mixed (docs/style.md, Errors): a guest's mistake goes to
 * vm_kill(), a host's failure unwinds as -errno, a bug of ours ends in BUG_ON.
 */
#ifndef GNOMON_BASE_LOG_H
#define GNOMON_BASE_LOG_H

#include <stdbool.h>

/* One sentence on stderr, prefixed "gnomon: ". Thread-safe: one write per call, lost when nobody reads it. */
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* As log_error, and returns -err so that a failing function can end with it. */
int log_errno(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* True when stderr is a terminal that can draw, i.e. when progress may be shown there. */
bool log_progress_wanted(void);

/* So long a command says nothing of its progress. */
#define LOG_QUIET_MS 2000

/* Replaces the progress line on stderr; empty text clears it. Silent unless wanted. */
void log_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* For BUG_ON: says where and what on stderr, and aborts. */
_Noreturn void bug(const char *file, int line, const char *what);

/* A condition that only a bug in the VMM can make true. Its argument has no side effect. */
#define BUG_ON(cond)                                                                                                   \
	do {                                                                                                           \
		if (__builtin_expect(!!(cond), 0))                                                                     \
			bug(__FILE__, __LINE__, #cond);                                                                \
	} while (0)

#define must_check __attribute__((warn_unused_result))

#endif
