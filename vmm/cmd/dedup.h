/* SPDX-License-Identifier: MIT */
/* The parts of `gnomon dedup`. */
#ifndef GNOMON_CMD_DEDUP_H
#define GNOMON_CMD_DEDUP_H

#include "client/dedup.h"
#include "share/dedup.h"

struct dedup {
	struct dedup_client *guest;
	unsigned n;
	const char *algorithm;
	bool ksm, json;
	bool users;  /* they belong to more than one */
	bool failed; /* a guest takes no part, or not to the end */
	/* What it took. */
	int64_t update_us, find_us, work_us;
	uint64_t hashed; /* pages */
	uint64_t hashes, comparisons;
};

/* cmd/dedup_options.c. 0: go on; 1: help was shown; -EINVAL, logged. The sockets are argv[optind] and on. */
int must_check dedup_parse(int argc, char **argv, struct dedup *d);

/* cmd/dedup_run.c: finds what is equal and merges it, with the guests that are there. -errno, logged. */
int must_check dedup_run(struct dedup *d);

/* cmd/dedup_print.c */
void dedup_print(const struct dedup *d);

#endif
