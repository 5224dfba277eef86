/* SPDX-License-Identifier: MIT */
/* Which values words get. Whatever a word was meant for, the CPU may meet it at any level. */
#include <gnomon/x86.h>

#include "stress.h"

#define RESERVED_BIT (1ull << 51) /* an address bit that no host here has */
#define AVAILABLE    (0x3ffull << 52 | 7ull << 9)

/* splitmix64 */
uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint64_t dice(struct arena *a, unsigned sides)
{
	return (mix(a->rng += 0x9e3779b97f4a7c15) >> 32) * sides >> 32;
}

unsigned pick_frame(struct arena *a, int level)
{
	return a->home[level][dice(a, a->homes[level])];
}

static bool one_in(struct arena *a, unsigned n)
{
	return dice(a, n) == 0;
}

static uint64_t make_address(struct arena *a, int level)
{
	if (one_in(a, 24))
		return (uint64_t)dice(a, FRAMES) << 12;
	return (uint64_t)pick_frame(a, level - 1) << 12;
}

/* An entry for a table of this level; 0: data, which are entries of any level. */
uint64_t make_value(struct arena *a, int level)
{
	uint64_t e = a->base, chance = dice(a, 1 << 16);

	if (level == 0)
		level = 1 + dice(a, 4);
	if (one_in(a, 40))
		return 0;
	if (level == 2 && one_in(a, 4)) {
		e |= PTE_PS | (uint64_t)dice(a, 2) << 21;
		if (one_in(a, 8))
			e |= (uint64_t)dice(a, 4) << 12; /* PAT, and a bit that must be 0 */
	} else {
		e |= make_address(a, level);
		e |= one_in(a, 40) ? PTE_PS : 0;
	}
	e |= one_in(a, 14) ? 0 : PTE_P;
	e |= chance & 7 ? PTE_W : 0;
	e |= chance & 0x38 ? PTE_U : 0;
	e |= chance & 0x1c0 ? 0 : PTE_NX;
	e |= chance & 0x200 ? PTE_A : 0;
	e |= chance & 0x400 ? PTE_D : 0;
	e |= (chance & 0x3800) ? 0 : PTE_G;
	if (one_in(a, 4))
		e |= ((uint64_t)dice(a, 1024) << 52 | dice(a, 8) << 9) & AVAILABLE;
	if (maxphyaddr < 52 && one_in(a, 80))
		e |= RESERVED_BIT;
	return e;
}

/* A change of one thing, as kernels make them. */
uint64_t vary_value(struct arena *a, uint64_t old, int level)
{
	static const uint64_t bits[] = {PTE_P, PTE_P, PTE_W, PTE_W, PTE_U, PTE_NX, PTE_A, PTE_A | PTE_D, PTE_D, PTE_G};
	unsigned which = dice(a, 16);

	if (!(old & PTE_P) && dice(a, 4))
		return make_value(a, level);
	if (which < sizeof(bits) / sizeof(*bits))
		return value_is_safe(a, old ^ bits[which]) ? old ^ bits[which] : make_value(a, level);
	if (which == 10 && level > 0 && value_is_safe(a, old | PTE_P) && !(old & PTE_PS))
		return (old & ~(PTE_ADDR & ((1ull << ARENA_SHIFT) - 1))) | make_address(a, level);
	return make_value(a, level);
}
