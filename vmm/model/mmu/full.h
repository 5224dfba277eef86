/* SPDX-License-Identifier: MIT */
/*
 * A set of many ways with LRU, in a time that does not depend on their number: a hash leads to a key's place, and links
 * keep the order of use.
 *
 *     bucket[hash] -> place -> place           of keys with the same hash
 *     newest <-> place <-> ... <-> oldest      all places; empty ones are the oldest
 *
 * Pure; a set belongs to one thread at a time.
 */
#ifndef GNOMON_MODEL_MMU_FULL_H
#define GNOMON_MODEL_MMU_FULL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

#define FULL_MAX_WAYS 4096

struct full_place {
	uint64_t key, value; /* key all ones: empty */
	uint16_t newer, older, next;
};

struct full {
	struct full_place *place; /* NULL: there is no set */
	uint16_t *bucket;
	uint16_t newest, oldest;
	unsigned shift; /* of the hash: its upper bits are the bucket */
};

/* An empty set; 2 to FULL_MAX_WAYS ways (BUG_ON). -ENOMEM. */
int must_check full_init(struct full *f, uint32_t ways);
/* Also of one that full_init() failed for, or that is all zero. */
void full_destroy(struct full *f);

/* As assoc_look_up(), assoc_insert() and assoc_remove(). */
bool full_look_up(struct full *f, uint64_t key, uint64_t *ret_value);
void full_insert(struct full *f, uint64_t key, uint64_t value);
void full_remove(struct full *f, uint64_t key);

#endif
