/* SPDX-License-Identifier: MIT */
/* What workload `miss` shall map: --pages, --backing and --ws. */
#ifndef GNOMON_CMD_BENCH_MAPPINGS_H
#define GNOMON_CMD_BENCH_MAPPINGS_H

#include "bench/workload/workload.h"

/* "4k,2m" or "thp,hugetlb2m": lists of names. -EINVAL, logged with the known ones. */
int must_check bench_parse_pages(const char *arg, struct bench_mappings *m);
int must_check bench_parse_backings(const char *arg, struct bench_mappings *m);

/* "64M", or "1M..1G:x2": sizes from the first to the last, each N times the one before (2). -EINVAL, logged. */
int must_check bench_parse_sizes(const char *arg, struct bench_mappings *m);

#endif
