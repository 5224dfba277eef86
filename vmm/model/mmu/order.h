/* SPDX-License-Identifier: MIT */
/*
 * The ways of a set in order of use, four bits for each: a list without links.
 *
 *     63   ...        8 7    4 3    0
 *     | oldest | ... |  second | newest |      with fewer ways than 16 the upper places mean nothing
 */
#ifndef GNOMON_MODEL_MMU_ORDER_H
#define GNOMON_MODEL_MMU_ORDER_H

#include <stdint.h>

#define ORDER_MAX_WAYS 16
#define ORDER_FIRST    0xfedcba9876543210 /* of a set that nobody has used */

/* Bits of the places before this one; place 0 to 16. */
static inline uint64_t order_before(unsigned place)
{
	return place < ORDER_MAX_WAYS ? (1ull << 4 * place) - 1 : UINT64_MAX;
}

/* The way's place: the lowest four bits that are its own. */
static inline unsigned order_place(uint64_t order, uint32_t way)
{
	const uint64_t ones = 0x1111111111111111, other = order ^ ones * way;

	return (unsigned)__builtin_ctzll((other - ones) & ~other & ones << 3) / 4;
}

static inline uint32_t order_oldest(uint64_t order, uint32_t ways)
{
	return order >> 4 * (ways - 1) & 15;
}

static inline uint64_t order_make_newest(uint64_t order, uint32_t way)
{
	const unsigned place = order_place(order, way);

	return (order & ~order_before(place + 1)) | (order & order_before(place)) << 4 | way;
}

static inline uint64_t order_make_oldest(uint64_t order, uint32_t way, uint32_t ways)
{
	const uint64_t before = order_before(order_place(order, way)), last = order_before(ways - 1);

	return (order & ~order_before(ways)) | (uint64_t)way << 4 * (ways - 1) | (order >> 4 & last & ~before) |
	       (order & before);
}

#endif
