/* SPDX-License-Identifier: MIT */
/* The tables of `gnomon model`. */
#ifndef GNOMON_CMD_MODEL_REPORT_H
#define GNOMON_CMD_MODEL_REPORT_H

#include "bench/report/report.h"
#include "cmd/model_options.h"
#include "model/run.h"

/* What one design made of one pattern. */
struct model_result {
	const char *pattern;
	uint64_t bytes; /* of the working set; 0: a trace's */
	int page_shift, host_page_shift; /* page_shift 0: of several sizes, as a guest has them */
	const char *design; /* as it was asked for */
	char why[256];      /* it was not simulated, or not to its end; "": it was */
	struct mmu_counts counts;
	struct model_usage usage;
	uint64_t lines;
};

/* Of time, of tables, and of the CPU. NULL: no memory. */
struct report *model_report_time(void);
struct report *model_report_tables(void);
struct report *model_report_cpu(const struct model_options *o);

/* Adds a row to the first two. `ghz` of the CPU. */
void model_report_add(struct report *time, struct report *tables, const struct model_result *result, double ghz);

/* Formulas beside simulated counts; is_right: all agree. NULL: no memory. */
struct report *model_report_closed(uint64_t seed, bool *ret_is_right);

#endif
