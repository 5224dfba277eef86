/* SPDX-License-Identifier: MIT */
#include "model/mmu/line_set.h"

#include <stdlib.h>

#define FEWEST 256
#define GOLDEN 0x9e3779b97f4a7c15

/* The block's slot, or the free one where it belongs. Half of the slots are free, or more. */
static struct line_block *find(const struct line_set *s, uint64_t block)
{
	size_t at = (block * GOLDEN >> 32) & (s->slots - 1);

	while (s->slot[at].lines && s->slot[at].block != block)
		at = (at + 1) & (s->slots - 1);
	return &s->slot[at];
}

static bool grow(struct line_set *s)
{
	struct line_set larger = *s;

	larger.slots = s->slots ? s->slots * 2 : FEWEST;
	larger.slot = calloc(larger.slots, sizeof(*larger.slot));
	if (!larger.slot)
		return false;
	for (size_t i = 0; i < s->slots; i++)
		if (s->slot[i].lines)
			*find(&larger, s->slot[i].block) = s->slot[i];
	free(s->slot);
	*s = larger;
	return true;
}

void line_set_add(struct line_set *s, uint64_t number)
{
	const uint64_t bit = 1ull << number % 64;
	struct line_block *slot;

	if (2 * s->blocks >= s->slots && !grow(s)) {
		s->failed = true;
		return;
	}
	slot = find(s, number / 64);
	s->blocks += !slot->lines;
	s->nr += !(slot->lines & bit);
	slot->block = number / 64;
	slot->lines |= bit;
}

void line_set_free(struct line_set *s)
{
	free(s->slot);
	*s = (struct line_set){0};
}
