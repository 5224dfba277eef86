/* SPDX-License-Identifier: MIT */
/*
 * selftest: checks that this machine behaves as a PC should. Prints a line for each behaviour, "ok NAME" or
 * "FAIL NAME: why". The output is the same in both paging modes and on any number of CPUs.
 */
#include "selftest.h"

static int run(const struct test *t)
{
	int failures = 0;

	for (; t->name; t++) {
		if (t->run()) {
			print("ok %s\n", t->name);
		} else {
			print("FAIL %s: %s\n", t->name, failure());
			failures++;
		}
	}
	return failures;
}

int selftest_main(int argc, char **argv)
{
	uint64_t address, number;
	int failures;

	if (argc == 4 && parse_number(argv[2], &address) && parse_number(argv[3], &number))
		return selftest_child(argv[1], (struct shared *)address, number);
	if (argc != 1) {
		print("usage: selftest\n");
		return 2;
	}
	failures = run(fault_tests) + run(memory_tests) + run(kernel_tests) + run(fork_tests) + run(share_tests) +
	           run(process_tests);
	return failures ? 1 : 0;
}
