/* SPDX-License-Identifier: MIT */
/*
 * A set-associative array of keys. TLBs, page-walk caches and caches of lines are all this.
 *
 *     key   63..58 kind   57..0 number        set = number modulo sets, or a hash of it modulo sets
 *
 *     set   [ key | key | ... ]   ways
 *
 * The number of sets is any. Pure; an array belongs to one thread at a time.
 */
#ifndef GNOMON_MODEL_MMU_ASSOC_H
#define GNOMON_MODEL_MMU_ASSOC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

#define ASSOC_MAX_WAYS    4096
#define ASSOC_MAX_ENTRIES (1u << 26)
#define ASSOC_PLRU_WAYS   64 /* at most, of pseudo-LRU */

/* Keys of two kinds are never equal, whatever their numbers. */
#define ASSOC_KIND_SHIFT 58
#define ASSOC_NUMBER     ((1ull << ASSOC_KIND_SHIFT) - 1)

/*
 * Pseudo-LRU has a bit for each way, which is set when the way is used. When all would be set, the others are cleared. The
 * first way whose bit is clear is replaced.
 */
enum assoc_policy { ASSOC_LRU, ASSOC_PLRU };
enum assoc_index { ASSOC_MODULO, ASSOC_HASH };

struct assoc_shape {
	uint32_t entries; /* a multiple of the ways; 0: there is none, and nothing is found */
	uint32_t ways;
	enum assoc_policy policy;
	enum assoc_index index;
};

struct full;

struct assoc {
	struct assoc_shape shape;
	uint32_t sets, stride; /* stride: from a set to the next */
	struct full *full;     /* of each set, in place of all below: LRU with more ways than an order has room for */
	uint32_t *tag;         /* 32 bits of each key, which are looked at first, four at a time */
	uint64_t *key;         /* set by set; all ones: empty */
	uint64_t *value;       /* of the same place */
	uint64_t *used;        /* of each set; LRU: its ways in order of use (order.h); pseudo-LRU: a bit for each */
};

/* What is wrong with a shape, as half a sentence; NULL: nothing. */
const char *assoc_shape_fault(const struct assoc_shape *shape);

/* An empty array. The shape has no fault (BUG_ON). -ENOMEM. */
int must_check assoc_init(struct assoc *a, const struct assoc_shape *shape);
/* Also of one that assoc_init() failed for, or that is all zero. */
void assoc_destroy(struct assoc *a);

/* Whether the key is there; it counts as used then. ret_value may be NULL. */
bool assoc_look_up(struct assoc *a, uint64_t key, uint64_t *ret_value);

/* Puts a key in that is not there, in place of its set's victim. */
void assoc_insert(struct assoc *a, uint64_t key, uint64_t value);

/* Takes the key out, if it is there. */
void assoc_remove(struct assoc *a, uint64_t key);

/* Whether the key was there; afterwards it is. For arrays without values. */
bool assoc_touch(struct assoc *a, uint64_t key);

#endif
