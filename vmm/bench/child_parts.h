/* SPDX-License-Identifier: MIT */
/* Starting a child: for child.c, which times it, and child_peak.c, which looks into it. */
#ifndef GNOMON_BENCH_CHILD_PARTS_H
#define GNOMON_BENCH_CHILD_PARTS_H

#include <sys/types.h>

/* CLOCK_MONOTONIC in ms. */
double child_clock_ms(void);

/* First step in the child: dies with `parent`, has its signals unblocked and these files. -1: it must not go on. */
int child_begin(pid_t parent, int in, int out, int err);

/* Kills and reaps. A traced child must not be in a stop that was already waited for. */
void child_kill(pid_t pid);

#endif
