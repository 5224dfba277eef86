/* SPDX-License-Identifier: MIT */
/* Where a workload runs, and what a TLB miss walks there. Pure. */
#ifndef GNOMON_BENCH_ENVIRONMENT_H
#define GNOMON_BENCH_ENVIRONMENT_H

#include <stdio.h>

#include "host/host.h"

enum bench_where { BENCH_NATIVE, BENCH_NESTED, BENCH_SHADOW, BENCH_NR_WHERE };

struct bench_environment {
	const char *name;
	const char *paging; /* `gnomon run --paging`'s argument; NULL: a process of the host */
};

extern const struct bench_environment bench_environments[BENCH_NR_WHERE];

/* What a miss in `where` walks on that host. How long that is depends on the tables there: a guest asks (abi.h). */
const char *bench_walk_words(const struct host_info *host, enum bench_where where);

/* References of a miss of a process, no page-walk cache; `huge`: 2 MiB pages in its tables. */
int bench_native_refs(const struct host_info *host, bool huge);

/* True when KVM itself composes one table for the CPU. */
bool bench_stage_is_software(const struct host_info *host);

/* Why no time is measured there: the machine is emulated. NULL on any other. */
const char *bench_times_na(const struct host_info *host);

/* A sentence when the host is a virtual machine itself. */
void bench_explain_host(const struct host_info *host, FILE *to);

#endif
