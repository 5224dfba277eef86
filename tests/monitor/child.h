/* SPDX-License-Identifier: MIT */
/* The monitor's process, found from outside. */
#ifndef GNOMON_TESTS_MONITOR_CHILD_H
#define GNOMON_TESTS_MONITOR_CHILD_H

#include <sys/types.h>

/* The first child of the main thread of `pid`: the monitor of a process that has no other. 0: it has none. */
pid_t child_of(pid_t pid);

/* This process's own monitor, which it has. */
pid_t monitor_pid(void);

/* The number in the line of /proc/PID/status that begins with `name`. -1: there is none. */
int status_of(pid_t pid, const char *name);

#endif
