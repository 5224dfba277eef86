/* SPDX-License-Identifier: MIT */
/* What a test tries, and why it failed. */
#include "expect.h"

static char why[256];

const char *failure(void)
{
	return why;
}

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
