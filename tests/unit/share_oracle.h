/* SPDX-License-Identifier: MIT */
/* The hash of all of guest memory by plain recursion: no tree is kept, and nothing is known beforehand. */
#ifndef TESTS_UNIT_SHARE_ORACLE_H
#define TESTS_UNIT_SHARE_ORACLE_H

#include <sodium.h>
#include <string.h>
#include <xxhash.h>

#include "share/fingerprint.h"

struct oracle {
	enum share_algorithm algorithm;
	uint8_t key[SHARE_KEY];
	struct share_digest absent[SHARE_LEVELS + 1];
};

static struct share_digest oracle_hash(const struct oracle *o, uint8_t what, const void *data, size_t size)
{
	uint8_t salt[16] = {0}, personal[16] = "gnomon ";
	struct share_digest d;

	personal[7] = what;
	if (o->algorithm == SHARE_BLAKE2B) {
		crypto_generichash_blake2b_salt_personal(d.byte, 16, data, size, o->key, SHARE_KEY, salt, personal);
	} else {
		XXH128_canonical_t c;
		uint64_t seed;

		memcpy(&seed, o->key, sizeof(seed));
		XXH128_canonicalFromHash(&c, XXH3_128bits_withSeed(data, size, seed + what * 0x9e3779b97f4a7c15ull));
		memcpy(d.byte, c.digest, sizeof(d.byte));
	}
	return d;
}

/* Subtrees past the end of memory are absent, and there are too many to go through. */
static struct oracle oracle_make(enum share_algorithm algorithm, const uint8_t *key)
{
	struct share_digest child[512];
	struct oracle o = {.algorithm = algorithm};

	memcpy(o.key, key, sizeof(o.key));
	o.absent[0] = oracle_hash(&o, 0x40, "", 0);
	for (int level = 1; level <= 4; level++) {
		for (int i = 0; i < 512; i++)
			child[i] = o.absent[level - 1];
		o.absent[level] = oracle_hash(&o, (uint8_t)(0x80 | level), child, sizeof(child));
	}
	return o;
}

/* Of the node at `level` that begins with this page of memory, which is `pages` long. */
static struct share_digest oracle_node(const struct oracle *o, const struct stage2 *stage2, int level, uint64_t page,
                                       uint64_t pages)
{
	struct share_digest child[512];
	struct stage2_mapping m;

	if (page >= pages)
		return o->absent[level];
	if (level == 0) {
		if (!stage2_lookup(stage2, gpa_init(page * PAGE_SIZE), &m))
			return o->absent[0];
		return oracle_hash(o, (uint8_t)(m.attrs & (PT_R | PT_W | PT_X)),
		                   stage2_ptr(stage2, gpa_init(page * PAGE_SIZE), PAGE_SIZE), PAGE_SIZE);
	}
	for (uint64_t i = 0; i < 512; i++)
		child[i] = oracle_node(o, stage2, level - 1, page + i * (1ull << 9 * (level - 1)), pages);
	return oracle_hash(o, (uint8_t)(0x80 | level), child, sizeof(child));
}

#endif
