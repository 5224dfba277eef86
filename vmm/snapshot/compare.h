/* SPDX-License-Identifier: MIT */
/* What differs between two snapshots of machines of one shape: pages, by their content, and parts of the state. */
#ifndef GNOMON_SNAPSHOT_COMPARE_H
#define GNOMON_SNAPSHOT_COMPARE_H

#include "snapshot/reader.h"

struct snapshot_difference {
	uint64_t gfn, pages; /* in a row */
};

struct snapshot_comparison {
	/* Told of each range of pages that differ, ascending. */
	void (*page)(void *ctx, const struct snapshot_difference *range);
	/* Told of each part of the state that differs: "CPU 1", "console". */
	void (*part)(void *ctx, const char *name);
	void *ctx;
	/* That differ; whose bytes were looked at; that both have from one place of one file, and were not read. */
	uint64_t pages, compared, shared;
};

/* -EINVAL: the machines differ in memory or CPUs, with a clause. -EBADMSG and other -errno: a file is damaged. */
int must_check snapshot_compare(struct snapshot *a, struct snapshot *b, struct snapshot_comparison *c, char *ret_why);

#endif
