/* SPDX-License-Identifier: MIT */
/* What `gnomon bench` is asked for. */
#ifndef GNOMON_CMD_BENCH_OPTIONS_H
#define GNOMON_CMD_BENCH_OPTIONS_H

#include <limits.h>
#include <stdbool.h>

#include "base/log.h"
#include "bench/workload/workload.h"
#include "cmd/report_files.h"

struct bench_options {
	bool quick;
	bool aa; /* each environment is compared with itself, too */
	bool emulated_times;
	struct report_files files;
	const char *label;                   /* of the results; NULL: none */
	const char *baseline;                /* results to compare with; NULL: none */
	double threshold;                    /* percent, of the comparison; negative: not given */
	char file[BENCH_NR_FILES][PATH_MAX]; /* "": the one that comes with Gnomon, until bench_options_check() */
	long runs, seed;                     /* runs 0: each workload's own */
	long precision, max_seconds;         /* percent; 0: the workload's own */
	long cpu;                            /* to stay on; negative: any */
	unsigned workloads;                  /* bit i: number i of the catalogue */
	const char *arena_option;            /* one that only workloads with an arena take; NULL: none is given */
	struct bench_mappings mappings;
	unsigned where;                      /* 1 << enum bench_where */
};

/* 0: go on; 1: help was shown; -EINVAL, logged. */
int must_check bench_options_parse(int argc, char **argv, struct bench_options *o);

/* Finds the files, and what can be known to fail, before minutes are spent. -errno, logged. */
int must_check bench_options_check(struct bench_options *o);

#endif
