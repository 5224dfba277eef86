/* SPDX-License-Identifier: MIT */
#include "share/digest.h"

#include <gnomon/addr.h>
#include <sodium.h>
#include <string.h>
#include <xxhash.h>

/* What a value is the hash of: a kind, and rights or a level. */
enum kind { PAGE = 0x00, ABSENT = 0x40, NODE = 0x80 };

static const char *const names[] = {[SHARE_BLAKE2B] = "blake2b", [SHARE_XXH3] = "xxh3"};

bool share_algorithm_parse(const char *text, enum share_algorithm *ret_algorithm)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_algorithm = (enum share_algorithm)i;
			return true;
		}
	}
	return false;
}

const char *share_algorithm_name(enum share_algorithm a)
{
	return names[a];
}

static struct share_digest blake2b(const struct share_hash *h, uint8_t what, const void *data, size_t size)
{
	const uint8_t salt[crypto_generichash_blake2b_SALTBYTES] = {0};
	const uint8_t personal[crypto_generichash_blake2b_PERSONALBYTES] = {'g', 'n', 'o', 'm', 'o', 'n', ' ', what};
	struct share_digest d;

	BUG_ON(crypto_generichash_blake2b_salt_personal(d.byte, sizeof(d.byte), data, size, h->key, sizeof(h->key),
	                                                salt, personal) != 0);
	return d;
}

static struct share_digest xxh3(const struct share_hash *h, uint8_t what, const void *data, size_t size)
{
	struct share_digest d;
	XXH128_canonical_t canonical;
	uint64_t seed;

	memcpy(&seed, h->key, sizeof(seed));
	/* An odd factor: no two kinds have one seed. */
	XXH128_canonicalFromHash(&canonical, XXH3_128bits_withSeed(data, size, seed + what * 0x9e3779b97f4a7c15ull));
	memcpy(d.byte, canonical.digest, sizeof(d.byte));
	return d;
}

static struct share_digest hash(const struct share_hash *h, uint8_t what, const void *data, size_t size)
{
	return h->algorithm == SHARE_BLAKE2B ? blake2b(h, what, data, size) : xxh3(h, what, data, size);
}

struct share_digest share_hash_page(const struct share_hash *h, unsigned rights, const void *content)
{
	return hash(h, PAGE | rights, content, PAGE_SIZE);
}

static struct share_digest compute_node(const struct share_hash *h, int level, const struct share_digest *child)
{
	return hash(h, (uint8_t)(NODE | level), child, SHARE_FANOUT * sizeof(*child));
}

struct share_digest share_hash_node(const struct share_hash *h, int level, const struct share_digest *child)
{
	if (memcmp(child, child + 1, (SHARE_FANOUT - 1) * sizeof(*child)) == 0) {
		if (share_digest_equal(child, &h->absent[level - 1]))
			return h->absent[level];
		if (share_digest_equal(child, &h->zero[level - 1]))
			return h->zero[level];
	}
	return compute_node(h, level, child);
}

/* What a node of these children, all alike, has. */
static struct share_digest uniform(const struct share_hash *h, int level, struct share_digest child)
{
	struct share_digest all[SHARE_FANOUT];

	for (int i = 0; i < SHARE_FANOUT; i++)
		all[i] = child;
	return compute_node(h, level, all);
}

void share_hash_init(struct share_hash *h, enum share_algorithm algorithm, const uint8_t key[SHARE_KEY])
{
	static const uint8_t zeroes[PAGE_SIZE];

	*h = (struct share_hash){.algorithm = algorithm};
	memcpy(h->key, key, sizeof(h->key));
	for (unsigned rights = 0; rights < SHARE_RIGHTS; rights++)
		h->zero_page[rights] = share_hash_page(h, rights, zeroes);
	h->zero[0] = h->zero_page[SHARE_RIGHTS - 1];
	h->absent[0] = hash(h, ABSENT, zeroes, 0);
	for (int level = 1; level <= SHARE_LEVELS; level++) {
		h->zero[level] = uniform(h, level, h->zero[level - 1]);
		h->absent[level] = uniform(h, level, h->absent[level - 1]);
	}
}
