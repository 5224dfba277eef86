/* SPDX-License-Identifier: MIT */
/* Numbers that look random and are the same on every run (splitmix64, Steele, Lea and Flood, OOPSLA 2014). */
#ifndef GNOMON_MODEL_DESIGN_RANDOM_H
#define GNOMON_MODEL_DESIGN_RANDOM_H

#include <stdint.h>

/* Every bit of the result depends on every bit of `x`; no two `x` give the same. */
static inline uint64_t model_mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* The next number of a series. */
static inline uint64_t model_random(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15ull;
	return model_mix(*state);
}

/* 0 to n - 1; n is not 0. */
static inline uint64_t model_random_below(uint64_t *state, uint64_t n)
{
	return (uint64_t)((unsigned __int128)model_random(state) * n >> 64);
}

#endif
