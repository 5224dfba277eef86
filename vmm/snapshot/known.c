/* SPDX-License-Identifier: MIT */
#include "snapshot/known.h"

#include <stdbool.h>
#include <stdlib.h>
#include <xxhash.h>

#define ROOM_FIRST 1024
#define ROOM_LAST  (1ull << 23) /* 128 MiB */

struct snapshot_known_place {
	uint64_t key; /* 0: free */
	uint64_t at;
};

uint64_t snapshot_known_key(const void *content, size_t size)
{
	const uint64_t key = XXH3_64bits(content, size);

	return key ? key : 1;
}

/* Where the key stands, or would. */
static struct snapshot_known_place *slot(const struct snapshot_known *k, uint64_t key)
{
	uint64_t i = key & (k->room - 1);

	while (k->place[i].key && k->place[i].key != key)
		i = (i + 1) & (k->room - 1);
	return &k->place[i];
}

uint64_t snapshot_known_find(const struct snapshot_known *k, uint64_t key)
{
	return k->room ? slot(k, key)->at : 0;
}

static bool grow(struct snapshot_known *k)
{
	struct snapshot_known larger = {.room = k->room ? k->room * 2 : ROOM_FIRST, .nr = k->nr};

	if (larger.room > ROOM_LAST)
		return false;
	larger.place = calloc(larger.room, sizeof(*larger.place));
	if (!larger.place)
		return false;
	for (uint64_t i = 0; i < k->room; i++)
		if (k->place[i].key)
			*slot(&larger, k->place[i].key) = k->place[i];
	free(k->place);
	*k = larger;
	return true;
}

void snapshot_known_note(struct snapshot_known *k, uint64_t key, uint64_t place)
{
	struct snapshot_known_place *p;

	if (k->nr >= k->room / 2 && !grow(k))
		return;
	p = slot(k, key);
	k->nr += !p->key;
	*p = (struct snapshot_known_place){key, place};
}

void snapshot_known_free(struct snapshot_known *k)
{
	free(k->place);
	*k = (struct snapshot_known){0};
}
