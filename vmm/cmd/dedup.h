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

/* cmd/dedup_guests.c: guest `i` takes no further part; logged. */
void dedup_drop(struct dedup *d, unsigned i);

/* -ENOENT, logged: there are no two guests left. */
int must_check dedup_check_present(const struct dedup *d);

/* The lowest level of the trees that is looked at. Memory that anybody has in pages of 2 MiB is looked at by those. */
int dedup_level(const struct dedup *d);

/* cmd/dedup_merge.c: a file in memory that is as long as it will ever be; the caller's. -errno, logged. */
int must_check dedup_make_store(uint64_t bytes);

/* Merges what was found, but for what is there once already. Sorts `pieces`. -errno, logged. */
int must_check dedup_merge(struct dedup *d, struct dedup_pieces *pieces, const struct dedup_places *places);

/* cmd/dedup_print.c */
void dedup_print(const struct dedup *d);

#endif
