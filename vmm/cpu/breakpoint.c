/* SPDX-License-Identifier: MIT */
#include "cpu/breakpoint.h"

#define BREAKPOINTS 4

/* DR7.RWn */
enum condition { ON_EXECUTION, ON_WRITE, ON_PORT, ON_ACCESS };

static enum condition condition_of(const struct cpu_state *cpu, unsigned n)
{
	return cpu->dr[7] >> (16 + 4 * n) & 3;
}

static bool is_enabled(const struct cpu_state *cpu, unsigned n)
{
	return cpu->dr[7] >> 2 * n & 3;
}

/* DR7.LENn: 1, 2, 8 or 4 bytes. */
static unsigned length_of(const struct cpu_state *cpu, unsigned n)
{
	static const unsigned char length[] = {1, 2, 8, 4};

	return length[cpu->dr[7] >> (18 + 4 * n) & 3];
}

uint64_t breakpoint_exec(const struct cpu_state *cpu, uint64_t rip)
{
	uint64_t hits = 0;

	if (!(cpu->dr[7] & DR7_ENABLES) || cpu->rflags & RFLAGS_RF)
		return 0;
	for (unsigned n = 0; n < BREAKPOINTS; n++)
		if (is_enabled(cpu, n) && condition_of(cpu, n) == ON_EXECUTION && cpu->dr[n] == rip)
			hits |= 1ull << n;
	return hits;
}

uint64_t breakpoint_data(const struct cpu_state *cpu, uint64_t at, unsigned size, bool write)
{
	uint64_t hits = 0;

	if (!(cpu->dr[7] & DR7_ENABLES))
		return 0;
	for (unsigned n = 0; n < BREAKPOINTS; n++) {
		const enum condition on = condition_of(cpu, n);
		const uint64_t length = length_of(cpu, n), first = cpu->dr[n] & ~(length - 1);

		if (is_enabled(cpu, n) && (on == ON_ACCESS || (on == ON_WRITE && write)) &&
		    (at - first < length || first - at < size))
			hits |= 1ull << n;
	}
	return hits;
}
