/* SPDX-License-Identifier: MIT */
/* The walk counter of tools/ept-host, read through its I/O port (gnomon/walk_counter.h). */
#ifndef GNOMON_BENCH_WORKLOAD_WALKS_COUNTER_H
#define GNOMON_BENCH_WORKLOAD_WALKS_COUNTER_H

#include <gnomon/walk_counter.h>

#include "host/host.h"

/*
 * Makes the counter readable for this process, which needs root. NULL, or the reason why there is no counter. Touches
 * the port in Bochs only.
 */
const char *walks_counter_open(const struct host_info *host);

/* The counts as they stand. The port must be open to this process. */
void walks_counter_read(struct walk_counts *ret_counts);

#endif
