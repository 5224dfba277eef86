/* SPDX-License-Identifier: MIT */
/*
 * A slice of 64 KiB is taken out of the middle of a 2 MiB page, and given back, again and again, while every vCPU
 * counts in the other 496 pages at CPL 3: what both sides know.
 *
 *   harness (drive.c)                            each vCPU (guest.c)
 *     phase + 1                                    visits a page after the other, `quota` times, and notes how long
 *                                                  it is from each visit to the next
 *     turn + 1                                     finds zeroes in the slice, writes there, touched = turn
 *     waits for all `touched`
 *     reclaim, looks at the host's pages,          leaves the slice alone until the next turn
 *     release
 *
 * An undisturbed phase has turns as well, but nothing happens to the slice: two other commands take the place of
 * reclaim and release. The mailbox lies in guest memory; the harness reaches it through the VMM's process.
 */
#ifndef TESTS_STRESS_SLICE_H
#define TESTS_STRESS_SLICE_H

#define SLICE_BLOCK    0x1000000 /* guest physical and virtual: the 2 MiB page */
#define SLICE_PAGES    512
#define SLICE_PAGE     4096
#define SLICE_FIRST    100 /* pages of the slice */
#define SLICE_LEN      16
#define SLICE_KEPT     (SLICE_PAGES - SLICE_LEN)
#define SLICE_GPA      (SLICE_BLOCK + SLICE_FIRST * SLICE_PAGE)
#define SLICE_BYTES    (SLICE_LEN * SLICE_PAGE)
#define SLICE_MAILBOX  0x1400000
#define SLICE_MEMORY   0x4000000 /* all of it */
#define SLICE_CPUS     4
#define SLICE_WORDS    64  /* bytes: from one vCPU's words in a page to the next one's */
#define SLICE_SHARED   256 /* byte offset in a page of the word that all count in */
#define SLICE_FLOORS   64  /* traps that are timed */
#define SLICE_BUCKETS  256 /* four for each power of two */
#define SLICE_MAGIC    0x4543494c53ull
#define SLICE_CRASHED  4 /* exit statuses: an exception that nobody expects */
#define SLICE_WRONG    5 /* a value was lost or torn */
#define SLICE_BAD_ARGS 6

#ifndef __ASSEMBLER__
#include <stdint.h>

enum slice_kind { SLICE_QUIET, SLICE_BUSY, SLICE_KINDS, SLICE_PROBE = SLICE_KINDS };

struct slice_stalls {
	uint64_t longest;              /* TSC ticks between two visits of this vCPU */
	uint64_t floors;               /* how many gaps were longer than a floor */
	uint32_t turns[SLICE_BUCKETS]; /* how many turns had their longest gap in this bucket */
};

/* A vCPU's report, on cache lines of its own. */
struct slice_cpu {
	_Alignas(128) uint64_t phase_done;
	uint64_t touched, visits;
	struct slice_stalls stalls[SLICE_KINDS];
};

struct slice_mailbox {
	/* Written by the harness; the first two last, for they announce the others. */
	uint64_t phase, turn;
	uint64_t kind, quota; /* enum slice_kind; visits of each vCPU */
	/* Written by the guest. */
	_Alignas(64) uint64_t attempts; /* accesses to the slice that the probing vCPU began */
	_Alignas(64) uint64_t magic;
	uint64_t cpus, floor_ticks, user_floor_ticks; /* medians of SLICE_FLOORS, at CPL 0 and at CPL 3 */
	struct slice_cpu cpu[SLICE_CPUS];
};
_Static_assert(SLICE_MAILBOX + sizeof(struct slice_mailbox) <= SLICE_MEMORY, "in memory");

static inline unsigned slice_bucket(uint64_t ticks)
{
	const int power = 63 - __builtin_clzll(ticks | 4);

	return power * 4 + (ticks >> (power - 2) & 3);
}

/* What vCPU `cpu` leaves in a page at its nth visit: the number and its check. */
static inline uint64_t slice_stamp(uint32_t n, uint32_t page, uint32_t cpu)
{
	const uint32_t check = (n + 1) * 0x9e3779b1 ^ (page * SLICE_CPUS + cpu + 1) * 0x85ebca6b;

	return n | (uint64_t)check << 32;
}
#endif

#endif
