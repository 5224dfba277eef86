/* SPDX-License-Identifier: MIT */
/* Guests of workload `sharing`: how the driver starts, awaits, asks and ends one. What fails is logged. */
#ifndef GNOMON_BENCH_WORKLOAD_SHARING_GUESTS_RUN_H
#define GNOMON_BENCH_WORKLOAD_SHARING_GUESTS_RUN_H

#include "bench/workload/sharing_guests.h"
#include "client/connection.h"

#define SHARING_READY_MS 120000 /* for a guest to write its working set, or to read it */

struct sharing_guest {
	pid_t pid;
	int out; /* what it printed: a file, so that nobody has to read it; -1: somebody does */
	char socket[SHARING_PATH];
};

/*
 * A new one, or one that goes on from `file`; `out` is its console, -1: a file. -errno. sharing_guest_end() may follow in any
 * case, and again.
 */
int must_check sharing_guest_start(const struct sharing_drive *d, unsigned i, const char *file, bool lazy, int out,
                                   struct sharing_guest *ret_guest);
void sharing_guest_end(struct sharing_guest *g);

/* Ends of lines in a text. */
unsigned sharing_count_lines(const char *text, ssize_t n);

/* Until it has printed so many whole lines into its file. -errno. */
int must_check sharing_guest_await(const struct sharing_guest *g, unsigned lines);

/* Once it listens; the caller closes the connection. -errno. */
int must_check sharing_guest_connect(const struct sharing_guest *g, struct connection *ret_connection);

int must_check sharing_guest_stop(const struct sharing_guest *g);

/* Exits and shadow events since `before`, two values. -errno. */
int must_check sharing_count_since(struct connection *c, const struct counts *before, uint64_t *ret);
/* All that a guest has counted, added to two values. -errno. */
int must_check sharing_guest_add_counts(const struct sharing_guest *g, uint64_t *values);

/* Their part of the host's memory, in KiB: their PSS. */
uint64_t sharing_guests_memory(const struct sharing_guest *g, unsigned n);

#endif
