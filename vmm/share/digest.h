/* SPDX-License-Identifier: MIT */
/*
 * The hash of the tree over guest memory (share/tree.h). No address is part of it, so that equal subtrees have equal
 * hashes wherever they lie.
 *
 *   page       H(PAGE | rights, 4096 bytes)            absent page   H(ABSENT, nothing)
 *   node       H(NODE | level, 512 hashes in order)
 *
 * H is one of two:
 *   BLAKE2b-128 (RFC 7693) under a key; its field `personal` holds what the value is of. It is an identity: whoever
 *   does not know the key finds no two contents with one hash.
 *   XXH3-128, with key and kind as its seed. It is faster, and only for guests that nobody hostile writes.
 *
 * What is known beforehand is not computed: absent and all-zero subtrees of each level. They are what H gives, so that
 * to know them is an optimisation alone.
 */
#ifndef GNOMON_SHARE_DIGEST_H
#define GNOMON_SHARE_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

#define SHARE_DIGEST 16
#define SHARE_KEY    32
#define SHARE_LEVELS 4   /* a node of level 1 has pages below it; the one of level 4 is the root */
#define SHARE_FANOUT 512 /* of each node */
#define SHARE_RIGHTS 8   /* combinations of PT_R, PT_W and PT_X */

enum share_algorithm { SHARE_BLAKE2B, SHARE_XXH3 };

#define SHARE_ALGORITHM_NAMES "blake2b, xxh3"

struct share_digest {
	uint8_t byte[SHARE_DIGEST];
};

struct share_hash {
	enum share_algorithm algorithm;
	uint8_t key[SHARE_KEY];
	struct share_digest absent[SHARE_LEVELS + 1]; /* by level; [0] is a page */
	struct share_digest zero[SHARE_LEVELS + 1];   /* all zero, with every right */
	struct share_digest zero_page[SHARE_RIGHTS];  /* by rights; the last is zero[0] */
};

/* `text` is one of SHARE_ALGORITHM_NAMES. False: it is not. */
bool share_algorithm_parse(const char *text, enum share_algorithm *ret_algorithm);
const char *share_algorithm_name(enum share_algorithm a);

/*
 * Computes what is known beforehand. It leaves sodium_init() out, which nothing here needs: the AVX2 code that this chooses
 * for BLAKE2b is slower on AMD's Zen than the portable one, 0.72 against 1.32 GB/s (docs/sharing.md).
 */
void share_hash_init(struct share_hash *h, enum share_algorithm algorithm, const uint8_t key[SHARE_KEY]);

/* The hash of 4096 bytes. Where the guest writes meanwhile, of a mixture. `rights` is below SHARE_RIGHTS. */
struct share_digest share_hash_page(const struct share_hash *h, unsigned rights, const void *content);

/* The hash of the node at `level`, 1 to SHARE_LEVELS, with these SHARE_FANOUT children. */
struct share_digest share_hash_node(const struct share_hash *h, int level, const struct share_digest *child);

/* The hash of 4096 zeroes, without reading any. */
static inline struct share_digest share_hash_zero(const struct share_hash *h, unsigned rights)
{
	return h->zero_page[rights];
}

static inline bool share_digest_equal(const struct share_digest *a, const struct share_digest *b)
{
	return __builtin_memcmp(a, b, sizeof(*a)) == 0;
}

#endif
