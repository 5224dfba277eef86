/* SPDX-License-Identifier: MIT */
#include "check.h"

#define MIX 0x9e3779b97f4a7c15 /* 2^64 / golden ratio */

static uint64_t scramble(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* splitmix64, begun at a place that has nothing to do with that of the next stream. */
struct dice dice_init(uint64_t seed, uint64_t stream)
{
	return (struct dice){scramble(scramble(seed * MIX + 1) + stream * 0xd1342543de82ef95)};
}

uint64_t dice_u64(struct dice *d)
{
	return scramble(d->state += MIX);
}

unsigned dice_throw(struct dice *d, unsigned sides)
{
	return (dice_u64(d) >> 32) * sides >> 32;
}

uint64_t dice_value(struct dice *d)
{
	static const uint64_t edges[] = {0,
	                                 1,
	                                 0x7f,
	                                 0x80,
	                                 0xff,
	                                 0x7fff,
	                                 0x8000,
	                                 0xffff,
	                                 0x7fffffff,
	                                 0x80000000,
	                                 0xffffffff,
	                                 INT64_MAX,
	                                 (uint64_t)INT64_MIN,
	                                 UINT64_MAX};

	const uint64_t any = dice_u64(d);

	switch (dice_throw(d, 4)) {
	case 0:
		return edges[dice_throw(d, sizeof(edges) / sizeof(*edges))];
	case 1:
		return any >> dice_throw(d, 64);
	default:
		return any;
	}
}
