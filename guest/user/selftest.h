/* SPDX-License-Identifier: MIT */
#ifndef GUEST_SELFTEST_H
#define GUEST_SELFTEST_H

#include "user.h"

#include <gnomon/x86.h>

/* One behaviour. The name is what is promised; it is printed, so it stays the same on any number of CPUs. */
struct test {
	const char *name;
	bool (*run)(void);
};
extern const struct test fault_tests[], memory_tests[], kernel_tests[], process_tests[]; /* ended by a NULL name */

/* Notes why the test failed; false, for `return`. */
bool fail(const char *format, ...);
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

/* Does fn(arg) end in `vector` with this error code and, if it is #PF, CR2 = arg? */
bool faults(void (*fn)(uint64_t arg), uint64_t arg, int vector, uint64_t error);
#define EXPECT_FAULT(fn, arg, vector, error)                                                                           \
	do {                                                                                                           \
		if (!faults(fn, arg, vector, error))                                                                   \
			return false;                                                                                  \
	} while (0)
void do_read(uint64_t va);
void do_write(uint64_t va);
void do_fetch(uint64_t va);

/* What processes of one test share. */
struct shared {
	uint64_t counter, arrived, cpus;
	char log[32];
	uint64_t log_len;
	uint64_t va[2], value[2], frame[2];
};
/* `selftest CHILD ADDRESS NUMBER`: the part of a test that another process plays. The exit status, 0 when well. */
int selftest_child(const char *name, struct shared *s, uint64_t number);

#endif
