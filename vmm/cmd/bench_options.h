/* SPDX-License-Identifier: MIT */
/* What `gnomon bench` is asked for. */
#ifndef GNOMON_CMD_BENCH_OPTIONS_H
#define GNOMON_CMD_BENCH_OPTIONS_H

#include <limits.h>
#include <stdbool.h>

#include "base/log.h"

enum bench_workload {
	BENCH_CHASE = 1 << 0,
	BENCH_STARTUP = 1 << 1,
	BENCH_COSTS = 1 << 2,
	BENCH_BALLOON = 1 << 3,
	BENCH_WALKS = 1 << 4,
};

struct bench_options {
	bool quick;
	const char *json, *csv;
	char image[PATH_MAX], shortest[PATH_MAX], cost[PATH_MAX];
	long runs, seed; /* runs 0: each workload's own */
	unsigned workloads, where;
};

/* 0: go on; 1: help was shown; -EINVAL: said. */
int must_check bench_options_parse(int argc, char **argv, struct bench_options *o);

/* What can be known to fail is told before anything is measured: finds the files. -errno, said. */
int must_check bench_options_check(struct bench_options *o);

/* "-"; NULL is not. */
bool bench_is_stdout(const char *path);

#endif
