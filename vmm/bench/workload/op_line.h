/* SPDX-License-Identifier: MIT */
/*
 * Reads what a run of guest/cost prints. Lists the optimisations for such a run. A guest's output is not trusted:
 * everything is checked against what was asked for. Pure.
 *
 *   cost row=NAME ops=N blocks=B tsc=T floors=M floor_tsc=F        each number of 20 digits
 *
 * T is the time of the median block of B, with N/B operations each. F is the same of floors, with M in each block.
 */
#ifndef GNOMON_BENCH_WORKLOAD_OP_LINE_H
#define GNOMON_BENCH_WORKLOAD_OP_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

#define OP_MAX_OPTIONS 256 /* characters of a list of optimisations */
#define OP_MAX_WITHOUT 8

/* What one run is asked for. */
struct op_request {
	const char *row;
	uint32_t most, ops, blocks; /* as the guest's own arguments */
};

/* TSC ticks an operation. */
struct op_ticks {
	double op, floor;
};

/*
 * Reads the whole output of a run. -EBADMSG: it is not one line of the form above; -EINVAL: a row or a number is not
 * the one that was asked for; -ERANGE: a time or M is 0 or 2^63 or more. ret_ticks is untouched on failure.
 */
int must_check op_output_parse(const char *text, size_t len, const struct op_request *request,
                               struct op_ticks *ret_ticks);

/*
 * Gives all optimisations of this build except those named, as a list for `--shadow-opt` and in words. `without` ends
 * with NULL or has OP_MAX_WITHOUT names. A name that this build does not know is in neither. `with`: one beside that is
 * not one of all; NULL: none.
 */
void op_options(const char *const *without, const char *with, char ret_list[OP_MAX_OPTIONS],
                char ret_words[OP_MAX_OPTIONS]);

/* True when this build has the optimisation. */
bool op_has_option(const char *name);

#endif
