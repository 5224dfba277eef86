/* SPDX-License-Identifier: MIT */
/* How a native case of an op_set is timed and told: as guest/cost/main.c does it in a guest. */
#ifndef GNOMON_BENCH_WORKLOAD_OP_NATIVE_H
#define GNOMON_BENCH_WORKLOAD_OP_NATIVE_H

#include "bench/workload/op_line.h"

/* TSC ticks of a block of floors: the cheapest system calls. */
uint64_t op_native_floors(void);

/* Prints the line of the run on stdout, from each block's ticks and those of its floors. Sorts both. */
void op_native_print(const struct op_request *request, uint64_t *tsc, uint64_t *floor_tsc);

#endif
