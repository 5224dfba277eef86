/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../guest/chase_core.h"
#include "model/trace/source.h"

#define WORD 8

struct ranges_source {
	struct model_source source;
	uint64_t random, bytes; /* of all */
	size_t nr;
	struct model_range range[];
};

const struct model_range *model_range_of(const struct model_range *range, size_t nr, uint64_t va)
{
	size_t low = 0, high = nr;

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (va < range[middle].first)
			high = middle;
		else if (va - range[middle].first >= range[middle].bytes)
			low = middle + 1;
		else
			return &range[middle];
	}
	return NULL;
}

static int next(struct model_source *source, size_t max, uint64_t *ret_va, size_t *ret_nr)
{
	struct ranges_source *s = (struct ranges_source *)source;

	for (size_t n = 0; n < max; n++) {
		uint64_t at = app_below(chase_random(&s->random), s->bytes / WORD) * WORD;
		size_t i = 0;

		for (; at >= s->range[i].bytes; i++)
			at -= s->range[i].bytes;
		ret_va[n] = s->range[i].first + at;
	}
	*ret_nr = max;
	return 0;
}

static void destroy(struct model_source *s)
{
	free(s);
}

int model_source_ranges(const struct model_range *range, size_t nr, uint64_t seed, struct model_source **ret_source)
{
	static const struct model_source_ops ops = {next, destroy};
	struct ranges_source *s = calloc(1, sizeof(*s) + nr * sizeof(*range));

	BUG_ON(!nr);
	if (!s)
		return -ENOMEM;
	s->source.ops = &ops;
	s->random = seed * 2 + 1;
	s->nr = nr;
	memcpy(s->range, range, nr * sizeof(*range));
	for (size_t i = 0; i < nr; i++)
		s->bytes += range[i].bytes;
	*ret_source = &s->source;
	return 0;
}
