/* SPDX-License-Identifier: MIT */
#include "model/mmu/line_set.h"

#include <stdlib.h>

#define FEWEST 1024
#define GOLDEN 0x9e3779b97f4a7c15

/* The number's slot, or the free one where it belongs. Half of the slots are free, or more. */
static uint64_t *find(const struct line_set *s, uint64_t number)
{
	size_t at = (number * GOLDEN >> 32) & (s->slots - 1);

	while (s->slot[at] && s->slot[at] != number + 1)
		at = (at + 1) & (s->slots - 1);
	return &s->slot[at];
}

static bool grow(struct line_set *s)
{
	struct line_set larger = {.slots = s->slots ? s->slots * 2 : FEWEST, .nr = s->nr};

	larger.slot = calloc(larger.slots, sizeof(*larger.slot));
	if (!larger.slot)
		return false;
	for (size_t i = 0; i < s->slots; i++)
		if (s->slot[i])
			*find(&larger, s->slot[i] - 1) = s->slot[i];
	free(s->slot);
	*s = larger;
	return true;
}

void line_set_add(struct line_set *s, uint64_t number)
{
	uint64_t *slot;

	if (2 * s->nr >= s->slots && !grow(s)) {
		s->failed = true;
		return;
	}
	slot = find(s, number);
	s->nr += !*slot;
	*slot = number + 1;
}

void line_set_free(struct line_set *s)
{
	free(s->slot);
	*s = (struct line_set){0};
}
