/* SPDX-License-Identifier: MIT */
/*
 * selftest: does this machine behave as a PC should? One line per behaviour, "ok NAME" or
 * "FAIL NAME: why", the same in both paging modes and on any number of CPUs.
 */
#include "selftest.h"

static char why[256];

bool fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	format_list(why, sizeof(why), fmt, &args);
	va_end(args);
	return false;
}

void do_read(uint64_t va)
{
	(void)*(volatile uint8_t *)va;
}

void do_write(uint64_t va)
{
	*(volatile uint8_t *)va = 0x5a;
}

void do_fetch(uint64_t va)
{
	((void (*)(void))va)();
}

bool faults(void (*fn)(uint64_t arg), uint64_t arg, int vector, uint64_t error)
{
	struct fault f;

	catch_fault(fn, arg, &f);
	if (f.vector != vector || f.error != error)
		return fail("exception %d error 0x%x instead of %d error 0x%x at 0x%x", f.vector, f.error,
		            (int64_t)vector, error, arg);
	if (vector == VEC_PF && f.cr2 != arg)
		return fail("CR2 is 0x%x instead of 0x%x", f.cr2, arg);
	if (fn == do_fetch && vector == VEC_PF && f.rip != arg)
		return fail("RIP is 0x%x instead of 0x%x", f.rip, arg);
	return true;
}

static int run(const struct test *t)
{
	int failures = 0;

	for (; t->name; t++) {
		if (t->run()) {
			print("ok %s\n", t->name);
		} else {
			print("FAIL %s: %s\n", t->name, why);
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
	failures = run(fault_tests) + run(memory_tests) + run(kernel_tests) + run(process_tests);
	return failures ? 1 : 0;
}
