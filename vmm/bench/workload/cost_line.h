/* SPDX-License-Identifier: MIT */
/*
 * What a run of guest/cost says and what is counted of it, read back, and which optimisations it shall have. A guest's
 * output is not trusted: everything is checked against what was asked for. Pure.
 *
 *   cost row=NAME ops=N blocks=B tsc=T floors=M floor_tsc=F        each number of 20 digits
 *
 * T is what the median of B blocks took, of N/B operations each; F likewise, of M floors each.
 */
#ifndef GNOMON_BENCH_WORKLOAD_COST_LINE_H
#define GNOMON_BENCH_WORKLOAD_COST_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

#define COST_MAX_OPTIONS 256 /* characters of a list of optimisations */
#define COST_MAX_WITHOUT 3

/* What one run is asked for. */
struct cost_request {
	const char *row;
	uint32_t most, ops, blocks; /* as the guest's own arguments */
};

/* TSC ticks an operation. */
struct cost_ticks {
	double op, floor;
};

/* Counters of one run. */
struct cost_counts {
	uint64_t exits, pages_built;
};

/*
 * The whole output of a run. -EBADMSG: it is not one line of the form above; -EINVAL: another row or number than
 * asked for; -ERANGE: a time or M is 0 or 2^63 or more. ret_ticks is untouched on failure.
 */
int must_check cost_output_parse(const char *text, size_t len, const struct cost_request *request,
                                 struct cost_ticks *ret_ticks);

/* What `gnomon run --stats` wrote. -EBADMSG: it is not that, or a counter is missing or negative. */
int must_check cost_counts_parse(const char *json, size_t len, struct cost_counts *ret_counts);

/*
 * All optimisations of this build but those named, NULL-terminated or COST_MAX_WITHOUT many: as a list for
 * `--shadow-opt`, and in words. Names that this build does not know are left out of both.
 */
void cost_options(const char *const *without, char ret_list[COST_MAX_OPTIONS], char ret_words[COST_MAX_OPTIONS]);

/* True when this build has the optimisation. */
bool cost_has_option(const char *name);

#endif
