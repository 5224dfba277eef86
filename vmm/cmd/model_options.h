/* SPDX-License-Identifier: MIT */
/* What `gnomon model` is asked for. */
#ifndef GNOMON_CMD_MODEL_OPTIONS_H
#define GNOMON_CMD_MODEL_OPTIONS_H

#include "cmd/report_files.h"
#include "model/mmu/shape.h"
#include "model/trace/source.h"

#define MODEL_MAX_DESIGNS 64
#define MODEL_MAX_SIZES   32

/* The generators, and behind them the workloads of the benchmark. */
enum {
	MODEL_CHASE = MODEL_NR_PATTERNS,
	MODEL_APPS, /* MODEL_APPS + n: application n + 1 of the arena */
	MODEL_NR_WORKLOADS = MODEL_APPS + ARENA_NR_APPS - 1
};

struct model_options {
	bool simulate; /* something is to be simulated; if not, the closed forms are shown */
	char *designs; /* cut into: */
	const char *design[MODEL_MAX_DESIGNS];
	size_t nr_designs;
	unsigned patterns;              /* bit n: workload n */
	uint64_t size[MODEL_MAX_SIZES]; /* bytes */
	size_t nr_sizes;
	const char *trace, *write_trace; /* files; NULL: none; "-" of `trace`: standard input */
	const char *from;                /* a control socket; NULL: none */
	const char *shape_file;          /* NULL: none */
	const char *preset;              /* of `shape`; NULL: it is of a file */
	struct mmu_shape shape;
	char *shape_text;
	size_t shape_len;
	int page_shift, host_page_shift;
	long seed, accesses, warm, churn, threads; /* accesses, warm negative: not given */
	struct report_files files;
};

/* NULL behind the last. */
const char *model_workload_name(size_t i);

/* 0: go on; 1: help or the list was shown; -EINVAL, logged. Undone by model_options_free(), in any case. */
int must_check model_options_parse(int argc, char **argv, struct model_options *o);
void model_options_free(struct model_options *o);

#endif
