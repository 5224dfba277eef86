/* SPDX-License-Identifier: MIT */
/*
 * What the VMM counted of a guest: the counters of `gnomon run --stats` and of `query-stats` (base/counter.h), of which a
 * row of a table needs the exits and the shadow events. Both are those of all its vCPUs.
 */
#ifndef GNOMON_BENCH_WORKLOAD_COUNTS_H
#define GNOMON_BENCH_WORKLOAD_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "bench/report/report.h"
#include "bench/workload/workload.h"
#include "client/connection.h"

struct counts {
	uint64_t exits, pages_built, shadow_events;
};

/* Reads what `gnomon run --stats` wrote. -EBADMSG: it is not that, or a counter is missing or negative. Pure. */
int must_check counts_parse(const char *json, size_t len, struct counts *ret_counts);

/* Those of a guest so far. -errno, logged. */
int must_check counts_ask(struct connection *c, struct counts *ret_counts);

/* What has been counted between the two. */
struct counts counts_between(const struct counts *before, const struct counts *after);

/* Where a run leaves its counters: a child opens the path, which is none of the host's files. */
struct counts_file {
	int fd;
	char path[32]; /* for --stats */
};

/* -errno, not logged. */
int must_check counts_file_open(struct counts_file *ret_file);
/* Once the run has ended. -errno, not logged; -EBADMSG as above. */
int must_check counts_file_read(const struct counts_file *file, struct counts *ret_counts);
void counts_file_close(struct counts_file *file);

/*
 * The same around a turn's run. False: there is no file, and *ret_reason says so. Once the run has ended, `r` being what it
 * gave: reads the counters if it gave some, or leaves a reason, and closes the file; gives `r`.
 */
bool must_check counts_begin(struct counts_file *ret_file, bench_reason *ret_reason);
int must_check counts_end(struct counts_file *file, int r, bench_reason *ret_reason, struct counts *ret_counts);

/*
 * Columns "exits" and "shadow_events" of a row, an operation's; `na`: why there are none, or NULL. Only a guest in shadow mode
 * has a shadow, and `shadow` says that it had one.
 */
void counts_set(struct report *table, bool shadow, double exits, double shadow_events, const char *na);

#endif
