/* SPDX-License-Identifier: MIT */
/* One of the guests whose memory is merged, at its control socket: for `gnomon dedup`. */
#ifndef GNOMON_CLIENT_DEDUP_H
#define GNOMON_CLIENT_DEDUP_H

#include <sys/types.h>

#include "client/fingerprint.h"
#include "share/merge_sum.h"

struct dedup_range_arg {
	uint64_t gpa, size, offset; /* bytes */
	bool zero;                  /* pages of zeroes: no offset */
};

/* As the guest's VMM counts. */
struct dedup_sum {
	struct merge_sum pages;
	uint64_t pause_us, longest_pause_us;
};

struct dedup_client {
	struct fingerprint_client f;
	const char *path;
	pid_t pid; /* of who made the socket, and whose process it was; as the kernel says */
	uid_t uid;
	bool gone; /* it takes no further part */
	uint64_t unit;
	int64_t rests_until; /* clock_us(): it stood still, and runs as long */
	struct dedup_sum sum;
};

/* Ranges that a guest works on. `command` is dedup-give, dedup-take or dedup-advise. */
struct dedup_work {
	const char *command;
	const struct dedup_range_arg *range;
	size_t n;    /* that are left */
	uint64_t at; /* bytes of the first that are done */
};

/* Connects to the socket at `path`, which lives as long as the client. -errno, logged. */
int must_check dedup_client_open(struct dedup_client *d, const char *path, int timeout_ms);
/* Also after a failure. */
void dedup_client_close(struct dedup_client *d);

/* Hands over the store, which stays the caller's, and learns the unit of ranges. -errno, logged. */
int must_check dedup_client_store(struct dedup_client *d, int store, bool users);

typedef void (*dedup_places_fn)(void *ctx, uint64_t page, uint64_t pages, uint64_t store, uint64_t offset);

/* Tells of all pages that cost the host memory: see dedup_places_add() (share/dedup_places.h). -errno, logged. */
int must_check dedup_client_places(struct dedup_client *d, dedup_places_fn fn, void *ctx);

/*
 * One command of the work: its ranges are those that are left then. Waits before it until the guest has run as long as it
 * stood still before. -errno, logged; -EPROTO: what it answers cannot be.
 */
int must_check dedup_client_step(struct dedup_client *d, struct dedup_work *w);
/* All of it. */
int must_check dedup_client_work(struct dedup_client *d, struct dedup_work *w);

#endif
