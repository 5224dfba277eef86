/* SPDX-License-Identifier: MIT */
/* The environments that workloads run in, and what a TLB miss walks there. Pure. */
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

/* What a miss in `where` walks on that host. The number of references depends on the tables: a guest asks (abi.h). */
const char *bench_walk_words(const struct host_info *host, enum bench_where where);

/* References of a TLB miss of a process, without a page-walk cache. `huge`: its tables have 2 MiB pages. */
int bench_native_refs(const struct host_info *host, bool huge);

/* Why no time is measured on that host: it is emulated. NULL where times mean something, or are wanted all the same. */
const char *bench_times_na(const struct host_info *host);

/* Prints a sentence when the host is a virtual machine itself. */
void bench_explain_host(const struct host_info *host, FILE *to);

#endif
