/* SPDX-License-Identifier: MIT */
/*
 * How long this host's CPU was given to another guest: a host that is a virtual machine itself cannot see that in its own
 * clock. Its kernel is told, and counts ticks (proc(5), /proc/stat, steal).
 */
#ifndef GNOMON_BENCH_WORKLOAD_MISS_STEAL_H
#define GNOMON_BENCH_WORKLOAD_MISS_STEAL_H

#include <stdio.h>

/* Seconds since boot, of the CPU that the calling thread is on. Not a number: the kernel does not say. */
double miss_steal(void);

/* The same of CPU `cpu`, from a file like /proc/stat with so many ticks a second. */
double miss_steal_read(FILE *stat, int cpu, long ticks);

#endif
