/* SPDX-License-Identifier: MIT */
#include "snapshot/known.h"

#include <stdbool.h>
#include <stdlib.h>
#include <xxhash.h>

#define ROOM_FIRST 1024
#define ROOM_LAST  (1ull << 23) /* 128 MiB */
#define PROBES     64           /* more in a row are rare, unless a guest made its hashes collide */

struct snapshot_known_place {
	uint64_t key; /* 0: free */
	uint64_t at;
};

uint64_t snapshot_known_key(const void *content, size_t size)
{
	const uint64_t key = XXH3_64bits(content, size);

	return key ? key : 1;
}

/* Where the key stands, or would. NULL: too many others are in its way. */
static struct snapshot_known_place *slot(const struct snapshot_known *k, uint64_t key)
{
	for (uint64_t i = 0; i < PROBES; i++) {
		struct snapshot_known_place *p = &k->place[(key + i) & (k->room - 1)];

		if (!p->key || p->key == key)
			return p;
	}
	return NULL;
}

uint64_t snapshot_known_find(const struct snapshot_known *k, uint64_t key)
{
	const struct snapshot_known_place *p = k->room ? slot(k, key) : NULL;

	return p ? p->at : 0;
}

/* What has no place is not noted. */
static void put(struct snapshot_known *k, uint64_t key, uint64_t at)
{
	struct snapshot_known_place *p = slot(k, key);

	if (!p)
		return;
	k->nr += !p->key;
	*p = (struct snapshot_known_place){key, at};
}

static bool grow(struct snapshot_known *k)
{
	struct snapshot_known larger = {.room = k->room ? k->room * 2 : ROOM_FIRST};

	if (larger.room > ROOM_LAST)
		return false;
	larger.place = calloc(larger.room, sizeof(*larger.place));
	if (!larger.place)
		return false;
	for (uint64_t i = 0; i < k->room; i++)
		if (k->place[i].key)
			put(&larger, k->place[i].key, k->place[i].at);
	free(k->place);
	*k = larger;
	return true;
}

void snapshot_known_note(struct snapshot_known *k, uint64_t key, uint64_t place)
{
	if (k->nr < k->room / 2 || grow(k))
		put(k, key, place);
}

void snapshot_known_free(struct snapshot_known *k)
{
	free(k->place);
	*k = (struct snapshot_known){0};
}
