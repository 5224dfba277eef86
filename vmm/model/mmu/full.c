/* SPDX-License-Identifier: MIT */
#include "model/mmu/full.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EMPTY  UINT64_MAX
#define NONE   UINT16_MAX
#define GOLDEN 0x9e3779b97f4a7c15

static uint16_t *bucket_of(const struct full *f, uint64_t key)
{
	return &f->bucket[(key ^ key >> 32) * GOLDEN >> f->shift];
}

/* The place of a key; NONE: it is not there. */
static uint16_t find(const struct full *f, uint64_t key)
{
	uint16_t at = *bucket_of(f, key);

	while (at != NONE && f->place[at].key != key)
		at = f->place[at].next;
	return at;
}

/* ---- order of use ---- */

/* What lies beside the place has each other for a neighbour. */
static void take_out(struct full *f, uint16_t at)
{
	const struct full_place *const p = &f->place[at];

	*(p->newer == NONE ? &f->newest : &f->place[p->newer].older) = p->older;
	*(p->older == NONE ? &f->oldest : &f->place[p->older].newer) = p->newer;
}

static void put_first(struct full *f, uint16_t at)
{
	f->place[at].newer = NONE;
	f->place[at].older = f->newest;
	f->place[f->newest].newer = at;
	f->newest = at;
}

static void put_last(struct full *f, uint16_t at)
{
	f->place[at].older = NONE;
	f->place[at].newer = f->oldest;
	f->place[f->oldest].older = at;
	f->oldest = at;
}

/* ---- buckets ---- */

static void leave_bucket(struct full *f, uint16_t at)
{
	uint16_t *link = bucket_of(f, f->place[at].key);

	while (*link != at)
		link = &f->place[*link].next;
	*link = f->place[at].next;
}

static void enter_bucket(struct full *f, uint16_t at)
{
	uint16_t *const bucket = bucket_of(f, f->place[at].key);

	f->place[at].next = *bucket;
	*bucket = at;
}

/* ---- the set ---- */

int full_init(struct full *f, uint32_t ways)
{
	unsigned bits = 1;

	BUG_ON(ways < 2 || ways > FULL_MAX_WAYS);
	while (1u << bits < 8 * ways)
		bits++;
	*f = (struct full){.newest = 0, .oldest = (uint16_t)(ways - 1), .shift = 64 - bits};
	f->place = malloc(ways * sizeof(*f->place));
	f->bucket = malloc((1u << bits) * sizeof(*f->bucket));
	if (!f->place || !f->bucket) {
		full_destroy(f);
		return -ENOMEM;
	}
	memset(f->bucket, 0xff, (1u << bits) * sizeof(*f->bucket));
	for (uint32_t i = 0; i < ways; i++)
		f->place[i] = (struct full_place){.key = EMPTY,
		                                  .newer = i ? (uint16_t)(i - 1) : NONE,
		                                  .older = i + 1 < ways ? (uint16_t)(i + 1) : NONE};
	return 0;
}

void full_destroy(struct full *f)
{
	free(f->place);
	free(f->bucket);
	*f = (struct full){0};
}

bool full_look_up(struct full *f, uint64_t key, uint64_t *ret_value)
{
	const uint16_t at = find(f, key);

	if (at == NONE)
		return false;
	if (ret_value)
		*ret_value = f->place[at].value;
	if (at != f->newest) {
		take_out(f, at);
		put_first(f, at);
	}
	return true;
}

void full_insert(struct full *f, uint64_t key, uint64_t value)
{
	const uint16_t at = f->oldest;

	if (f->place[at].key != EMPTY)
		leave_bucket(f, at);
	f->place[at].key = key;
	f->place[at].value = value;
	enter_bucket(f, at);
	take_out(f, at);
	put_first(f, at);
}

void full_remove(struct full *f, uint64_t key)
{
	const uint16_t at = find(f, key);

	if (at == NONE)
		return;
	leave_bucket(f, at);
	f->place[at].key = EMPTY;
	if (at != f->oldest) {
		take_out(f, at);
		put_last(f, at);
	}
}
