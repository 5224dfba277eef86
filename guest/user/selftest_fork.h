/* SPDX-License-Identifier: MIT */
/* A parent and its child, each with its part of a test. */
#ifndef GUEST_SELFTEST_FORK_H
#define GUEST_SELFTEST_FORK_H

#include "selftest.h"

#define PAGES      4 /* of an area */
#define WORDS      (PAGE_BYTES / 8)
#define HUGE_BYTES 0x200000ull

/* In memory that both have. They go through the steps in turn. */
struct pact {
	uint64_t step;
	uint64_t seen; /* an entry, for the other one */
};
extern struct pact *pact;
extern volatile uint64_t *near, *far; /* two areas with a page table of their own each */

void await_step(uint64_t step);
void step_done(uint64_t step);

/* Makes two areas of the same content with these flags of mmap, or fills those that there are. */
bool begin(uint64_t flags);
/* Whether an area is as begin() made it, but for one page. */
bool holds(const volatile uint64_t *area, uint64_t except);

/* Forks and runs both sides. The child's status, if not 0, names the check that failed. */
bool both(int64_t on, int how, int (*child)(void), bool (*parent)(void));
/* begin() and both(): tables shared, on this CPU and on the last one, and copied. */
bool everywhere(uint64_t flags, int (*child)(void), bool (*parent)(void));

/* In a child. */
#define CHECK(number, condition)                                                                                       \
	if (!(condition))                                                                                              \
	return number

#endif
