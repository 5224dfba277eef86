/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "../guest/chase_core.h"
#include "model/trace/source.h"

#define WORD 8

/* Zipf's exponent, as YCSB has it. */
#define EXPONENT 0.99
/* A prime: ranks times this, modulo the number of pages, is a permutation unless it divides that number. */
#define SCATTER 2654435761u

/* Rejection-inversion (Hormann and Derflinger 1996): nothing grows with the number of pages. */
struct zipf {
	double low, high, squeeze;
};

struct generator {
	struct model_source source;
	enum model_pattern pattern;
	uint64_t base, bytes, random, at;
	struct zipf zipf;
};

/* The integral of (1 + x)^-EXPONENT, and its inverse. */
static double integral(double x)
{
	return exp((1 - EXPONENT) * log1p(x)) / (1 - EXPONENT);
}

static double integral_inverse(double y)
{
	return exp(log((1 - EXPONENT) * y) / (1 - EXPONENT)) - 1;
}

static double weight(double rank)
{
	return exp(-EXPONENT * log1p(rank));
}

static void zipf_init(struct zipf *z, uint64_t ranks)
{
	z->low = integral(0.5) - 1;
	z->high = integral((double)ranks - 0.5);
	z->squeeze = 1 - integral_inverse(integral(1.5) - weight(1));
}

static uint64_t zipf_rank(const struct zipf *z, uint64_t ranks, uint64_t *random)
{
	for (;;) {
		const double share = (double)(chase_random(random) >> 11) / (double)(1ull << 53);
		const double y = z->high + share * (z->low - z->high), x = integral_inverse(y);
		const double rank = floor(x + 0.5);

		if ((rank - x <= z->squeeze || y >= integral(rank + 0.5) - weight(rank)) && rank >= 0 &&
		    rank < (double)ranks)
			return (uint64_t)rank;
	}
}

static uint64_t next_zipf(struct generator *g)
{
	const uint64_t pages = g->bytes / CHASE_PAGE;
	const uint64_t page = (unsigned __int128)zipf_rank(&g->zipf, pages, &g->random) * SCATTER % pages;

	return page * CHASE_PAGE + app_below(chase_random(&g->random), CHASE_PAGE / WORD) * WORD;
}

static uint64_t next_stride(struct generator *g)
{
	const uint64_t page = g->at;

	g->at = g->at + 1 < g->bytes / CHASE_PAGE ? g->at + 1 : 0;
	return page * CHASE_PAGE + chase_offset(page, 0);
}

static uint64_t next_sequential(struct generator *g)
{
	const uint64_t line = g->at;

	g->at = g->at + 1 < g->bytes / CHASE_LINE ? g->at + 1 : 0;
	return line * CHASE_LINE;
}

static uint64_t next_one(struct generator *g)
{
	switch (g->pattern) {
	case MODEL_ZIPF:
		return next_zipf(g);
	case MODEL_STRIDE:
		return next_stride(g);
	case MODEL_SEQUENTIAL:
		return next_sequential(g);
	default:
		return app_below(chase_random(&g->random), g->bytes / WORD) * WORD;
	}
}

static int next(struct model_source *s, size_t max, uint64_t *ret_va, size_t *ret_nr)
{
	struct generator *g = (struct generator *)s;

	for (size_t i = 0; i < max; i++)
		ret_va[i] = g->base + next_one(g);
	*ret_nr = max;
	return 0;
}

static void destroy(struct model_source *s)
{
	free(s);
}

int model_source_generate(enum model_pattern pattern, uint64_t base, uint64_t bytes, uint64_t seed,
                          struct model_source **ret_source)
{
	static const struct model_source_ops ops = {next, destroy};
	struct generator *g = calloc(1, sizeof(*g));

	BUG_ON(!bytes || bytes % CHASE_PAGE);
	if (!g)
		return -ENOMEM;
	g->source.ops = &ops;
	g->pattern = pattern;
	g->base = base;
	g->bytes = bytes;
	g->random = seed * 2 + 1;
	zipf_init(&g->zipf, bytes / CHASE_PAGE);
	*ret_source = &g->source;
	return 0;
}
