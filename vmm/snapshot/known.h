/* SPDX-License-Identifier: MIT */
/*
 * Which content lies where in a file that is being written. Keys are hashes that a hostile guest may make collide: what is
 * found has to be compared, and of keys that fall together only some are noted, so that none takes long to find.
 */
#ifndef GNOMON_SNAPSHOT_KNOWN_H
#define GNOMON_SNAPSHOT_KNOWN_H

#include <stddef.h>
#include <stdint.h>

struct snapshot_known {
	struct snapshot_known_place *place; /* open addressing: a power of two of them, half of them free at least */
	uint64_t room, nr;
};

/* Never 0. */
uint64_t snapshot_known_key(const void *content, size_t size);

/* The place that the key was noted with last; 0: none. */
uint64_t snapshot_known_find(const struct snapshot_known *k, uint64_t key);

/* Notes a place, which is not 0. Without memory, beyond some millions of keys, and among many alike it may not be noted. */
void snapshot_known_note(struct snapshot_known *k, uint64_t key, uint64_t place);

void snapshot_known_free(struct snapshot_known *k);

#endif
