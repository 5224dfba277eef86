/* SPDX-License-Identifier: MIT */
/*
 * Workload `sharing`, the part with guests, each of which runs the program `sweep`: what a turn of it is. A forked driver
 * starts the guests, does to them what the case says, and prints what came of it on one line.
 *
 *   snapshot   save all, save what was written since; then restore, with memory read and with it mapped
 *   dedup      some equal guests, and what they cost once they were merged
 *   lazy       as many that go on from one file
 *
 *   sharing_guests.c         the workload's part
 *   sharing_guests_drive.c   the driver
 *   sharing_guests_run.c     its guests
 *   sharing_guests_line.c    reads what it prints
 *   sharing_guests_report.c  the tables
 */
#ifndef GNOMON_BENCH_WORKLOAD_SHARING_GUESTS_H
#define GNOMON_BENCH_WORKLOAD_SHARING_GUESTS_H

#include "bench/workload/counts.h"
#include "bench/workload/socket_guest.h"
#include "bench/workload/workload.h"

enum sharing_what { SHARING_SNAPSHOT, SHARING_DEDUP, SHARING_LAZY, SHARING_NR_WHAT };

#define SHARING_NR_MODES    2
#define SHARING_GUEST_CASES (SHARING_NR_MODES * SHARING_NR_WHAT)
#define SHARING_VALUES      18
#define SHARING_MAX_GUESTS  8

/* Values of a snapshot's turn. Times are in us; exits and shadow events are those of a save, or until the guest has swept. */
enum {
	SNAPSHOT_FULL,
	SNAPSHOT_FULL_PAUSE,
	SNAPSHOT_FULL_BYTES,
	SNAPSHOT_FULL_EXITS,
	SNAPSHOT_FULL_EVENTS,
	SNAPSHOT_SINCE,
	SNAPSHOT_SINCE_PAUSE,
	SNAPSHOT_SINCE_BYTES,
	SNAPSHOT_SINCE_EXITS,
	SNAPSHOT_SINCE_EVENTS,
	RESTORE_FIRST,
	RESTORE_SWEPT,
	RESTORE_EXITS,
	RESTORE_EVENTS,
	RESTORE_LAZY_FIRST,
	RESTORE_LAZY_SWEPT,
	RESTORE_LAZY_EXITS,
	RESTORE_LAZY_EVENTS,
};

/*
 * Values of the other two: PSS in KiB of each guest alone and of all together; us; what all guests had counted when they had
 * swept.
 */
enum { GUESTS_ALONE, GUESTS_TOGETHER, GUESTS_TIME, GUESTS_EXITS, GUESTS_EVENTS, GUESTS_VALUES };

struct sharing_guest_size {
	unsigned memory, set; /* MiB: of RAM; of the working set */
	unsigned guests;
};

/* By case; the values of each by round. */
struct sharing_guests {
	double *value[SHARING_GUEST_CASES][SHARING_VALUES];
	bench_reason na[SHARING_GUEST_CASES];
};

static inline enum sharing_what sharing_what(size_t i)
{
	return (enum sharing_what)(i % SHARING_NR_WHAT);
}

static inline enum bench_where sharing_where(size_t i)
{
	return i / SHARING_NR_WHAT ? BENCH_SHADOW : BENCH_NESTED;
}

/* What the driver is asked for. Its sockets and snapshots lie in the place's directory. */
struct sharing_drive {
	enum sharing_what what;
	const char *mode, *kernel;
	struct sharing_guest_size size;
	struct socket_place place;
};

struct sharing_guest_size sharing_guest_size(enum sharing_what what, bool quick);

int must_check sharing_guests_begin(struct sharing_guests *g, const struct bench_plan *plan);
void sharing_guests_release(struct sharing_guests *g);
void sharing_guests_describe(size_t i, char *ret_text, size_t size);
/* See struct workload. */
int must_check sharing_guests_turn(struct sharing_guests *g, const struct bench_plan *plan, size_t i,
                                   const struct turn *turn);

/* --- sharing_guests_drive.c --- */

/* For turn_call(), with a struct sharing_drive: prints the case's line. What fails is logged. */
int sharing_guests_drive(const void *drive);

/* --- sharing_guests_run.c --- */

#define SHARING_FILES (SHARING_MAX_GUESTS + 2)
#define SHARING_PATH  112

/* Sockets by number of the guest, then the snapshots; and where one lies. */
extern const char *const sharing_file_names[SHARING_FILES];
const char *sharing_file(const struct sharing_drive *d, const char *name, char ret_path[SHARING_PATH]);

/* --- sharing_guests_line.c --- */

/* The names of a case's values, NULL behind the last. */
extern const char *const sharing_value_names[SHARING_NR_WHAT][SHARING_VALUES + 1];

/*
 * The whole output of the driver: "sharing WHAT NAME=N...", in this order. -EBADMSG: it is anything else. Nothing is written
 * on failure.
 */
int must_check sharing_guests_parse(const char *text, size_t len, enum sharing_what what,
                                    double ret_value[SHARING_VALUES]);
/* Prints that line to stdout. */
void sharing_guests_print(enum sharing_what what, const uint64_t *value);

#endif
