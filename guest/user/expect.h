/* SPDX-License-Identifier: MIT */
/* selftest_try.c: what tests expect of the machine. */
#ifndef GUEST_EXPECT_H
#define GUEST_EXPECT_H

#include <gnomon/x86.h>

#include "user.h"

/* Notes why the test failed. Returns false, for `return`. */
bool fail(const char *format, ...);
const char *failure(void); /* the last note */
#define EXPECT(condition)                                                                                              \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			return fail("not so: %s", #condition);                                                         \
	} while (0)
#define EXPECT_EQ(got, want)                                                                                           \
	do {                                                                                                           \
		uint64_t got_ = (got), want_ = (want);                                                                 \
		if (got_ != want_)                                                                                     \
			return fail("%s is 0x%x instead of 0x%x", #got, got_, want_);                                  \
	} while (0)

/* True if fn(arg) ends in `vector` with this error code and, for #PF, with CR2 = arg. */
bool faults(void (*fn)(uint64_t arg), uint64_t arg, int vector, uint64_t error);
#define EXPECT_FAULT(fn, arg, vector, error)                                                                           \
	do {                                                                                                           \
		if (!faults(fn, arg, vector, error))                                                                   \
			return false;                                                                                  \
	} while (0)
void do_read(uint64_t va);
void do_write(uint64_t va);
void do_fetch(uint64_t va);

#endif
