/* SPDX-License-Identifier: MIT */
#ifndef GUEST_SELFTEST_H
#define GUEST_SELFTEST_H

#include "expect.h"

/* One behaviour. The printed name says what is promised. It does not depend on the number of CPUs. */
struct test {
	const char *name;
	bool (*run)(void);
};
extern const struct test fault_tests[], memory_tests[], kernel_tests[], process_tests[], fork_tests[],
    share_tests[]; /* ended by a NULL name */

/* What processes of one test share. */
struct shared {
	uint64_t counter, arrived, cpus;
	char log[32];
	uint64_t log_len;
	uint64_t va[2], value[2], frame[2];
};
/* `selftest CHILD ADDRESS NUMBER`: another process's part in a test. The exit status, 0 for success. */
int selftest_child(const char *name, struct shared *s, uint64_t number);

#endif
