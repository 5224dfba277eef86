/* SPDX-License-Identifier: MIT */
/* How a child starts and is killed, for those that run one in a way of their own; and the clock. */
#ifndef GNOMON_BENCH_CHILD_PARTS_H
#define GNOMON_BENCH_CHILD_PARTS_H

#include <sys/types.h>

/* CLOCK_MONOTONIC in ms. */
double child_clock_ms(void);

/* The first step in the child: lets it die with `parent`, unblocks its signals, gives it these files. -1: the child
 * must not go on. */
int child_begin(pid_t parent, int in, int out, int err);

/* Kills and reaps the child. A traced child must not be in a stop that was already waited for. */
void child_kill(pid_t pid);

#endif
