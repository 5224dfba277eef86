/* SPDX-License-Identifier: MIT */
/*
 * Reads what `chase` prints, in a guest or natively. A guest's output is not trusted: everything is checked against
 * what was asked for. Pure.
 *
 *   chase pages=N kind=sparse|dense page=4k|2m loads=K tsc=T[ refs=LOW-HIGH]
 */
#ifndef GNOMON_BENCH_WORKLOAD_CHASE_LINE_H
#define GNOMON_BENCH_WORKLOAD_CHASE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../guest/chase_core.h"
#include "base/log.h"

#define CHASE_MAX_SIZES 16

/* The fewest and the most references of a walk; 0: not known. */
struct chase_refs {
	unsigned low, high;
};

struct chase_line {
	uint64_t pages;
	enum chase_kind kind;
	bool huge; /* 2 MiB pages */
	uint64_t loads;
	uint64_t tsc; /* ticks that all loads took */
	struct chase_refs refs;
};

/* What is asked of one run. */
struct chase_request {
	uint32_t pages[CHASE_MAX_SIZES];
	size_t nr_sizes;
	bool huge;
	uint64_t loads, seed;
};

/* TSC ticks a load, and what its TLB miss walks. */
struct chase_ticks {
	double sparse, dense;
	struct chase_refs refs; /* of the sparse ring */
};

/* Reads one line of `len` bytes, without its line end. -EINVAL: it has not the form above. -ERANGE: a number is 0 or
 * 2^63 or more, or no walk has so many references. */
int must_check chase_line_parse(const char *text, size_t len, struct chase_line *ret_line);

/*
 * Reads all lines of one run, in any order, into ret_ticks[0..nr_sizes). -EBADMSG: a line has not the form above, or
 * the last one is cut; -EINVAL: a size, page size or number of loads was not asked for, or a result is there twice;
 * -ENODATA: a result is missing. ret_ticks is untouched on failure.
 */
int must_check chase_output_parse(const char *text, size_t len, const struct chase_request *request,
                                  struct chase_ticks *ret_ticks);

#endif
