/* SPDX-License-Identifier: MIT */
/*
 * Reads what a run of guest/cost prints of its walks. A guest's output is not trusted. Pure.
 *
 *   walks pages=N low=L high=H sum_low=S sum_high=T      each number of 20 digits; then the line of op_line.h
 */
#ifndef GNOMON_BENCH_WORKLOAD_WALKS_LINE_H
#define GNOMON_BENCH_WORKLOAD_WALKS_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "bench/workload/op_line.h"

/* References as the VMM computed them, of walks to `pages` pages. */
struct walks_model {
	unsigned low, high;         /* the fewest and the most of one walk; 0: not known */
	double mean_low, mean_high; /* of all; they differ where the host does not say how it maps memory */
};

/*
 * Reads the whole output of a run. -EBADMSG: it is not two lines of these forms; -EINVAL: a row or a number is not the
 * one that was asked for; -ERANGE: no tables give such numbers. ret_model is untouched on failure.
 */
int must_check walks_output_parse(const char *text, size_t len, const struct op_request *request,
                                  struct walks_model *ret_model);

#endif
