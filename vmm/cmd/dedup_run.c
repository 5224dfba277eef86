/* SPDX-License-Identifier: MIT */
/*
 * What `gnomon dedup` does once it has its guests:
 *
 *   fingerprints up to date -> descent, twice -> plan -> for each store: filled by its guest, sealed, taken by all -> zeroes
 *
 * A guest that fails takes no further part, and the others go on. Nothing that a guest answers is believed: it decides what
 * the others compare, no more.
 */
#include <errno.h>
#include <gnomon/addr.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hex.h"
#include "cmd/dedup.h"
#include "share/dedup_places.h"

#define PAGES_MAX (1ull << 28) /* of a guest */

/* --- what is equal --- */

/* One key for all, that of the first, so that equal pages have equal hashes. */
static int update(struct dedup *d, uint8_t ret_key[SHARE_KEY])
{
	const int64_t start = clock_us();
	const char *key = NULL;
	json_t *reply;

	for (unsigned i = 0; i < d->n; i++) {
		struct fingerprint_client *f = &d->guest[i].f;

		if (d->guest[i].gone)
			continue;
		if (key)
			memcpy(f->key, key, sizeof(f->key));
		if (fingerprint_client_update(f, &reply) < 0) {
			dedup_drop(d, i);
			continue;
		}
		if (f->pages > PAGES_MAX) {
			log_error("dedup: %s has more memory than can be looked at", d->guest[i].path);
			dedup_drop(d, i);
			json_decref(reply);
			continue;
		}
		d->hashed += (uint64_t)json_integer_value(json_object_get(json_object_get(reply, "round"), "hashed"));
		json_decref(reply);
		if (key)
			continue;
		if (hex_read(f->key, strlen(f->key), ret_key, SHARE_KEY))
			key = f->key;
		else
			dedup_drop(d, i);
	}
	d->update_us += clock_us() - start;
	return dedup_check_present(d);
}

static int find_once(struct dedup *d, struct dedup_pieces *ret)
{
	struct descent_side guest[DEDUP_GUESTS] = {0};
	enum share_algorithm algorithm = SHARE_BLAKE2B;
	struct share_hash *hash = malloc(sizeof(*hash));
	uint8_t key[SHARE_KEY];
	int r = hash ? update(d, key) : log_errno(ENOMEM, "dedup");
	const int64_t start = clock_us();

	*ret = (struct dedup_pieces){.failed = -1};
	for (unsigned i = 0; r == 0 && i < d->n; i++) {
		guest[i] = (struct descent_side){fingerprint_client_hashes, &d->guest[i].f,
		                                 d->guest[i].gone ? 0 : d->guest[i].f.pages};
	}
	if (r == 0) {
		(void)share_algorithm_parse(d->algorithm, &algorithm);
		share_hash_init(hash, algorithm, key);
		r = dedup_find(guest, d->n, hash, dedup_level(d), ret);
		if (r == -E2BIG)
			log_error("dedup: of %s there is more that differs than can be looked at",
			          d->guest[ret->failed].path);
		else if (ret->failed < 0 && r < 0)
			log_error("dedup: there is no memory for what was found");
	}
	d->find_us += clock_us() - start;
	free(hash);
	return r;
}

static int look(struct dedup *d, struct dedup_pieces *ret)
{
	unsigned tries = 0;

	for (;;) {
		const int r = find_once(d, ret);

		d->hashes += ret->hashes;
		d->comparisons += ret->comparisons;
		if (r == 0 || ret->failed < 0)
			return r;
		if (r != -ESTALE)
			dedup_drop(d, (unsigned)ret->failed);
		dedup_pieces_free(ret);
		if (r == -ESTALE && !fingerprint_client_stand_back("dedup", &tries))
			return r;
	}
}

/* What two looks agree on. */
static int find(struct dedup *d, struct dedup_pieces *ret)
{
	struct dedup_pieces before;
	int r = look(d, &before);

	if (r == 0)
		r = look(d, ret);
	if (r == 0)
		dedup_keep_stable(ret, &before);
	dedup_pieces_free(&before);
	return r;
}

/* --- what is merged already --- */

struct holder {
	struct dedup_places *places;
	unsigned guest;
};

static void add_place(void *ctx, uint64_t page, uint64_t pages, uint64_t store, uint64_t offset)
{
	const struct holder *h = ctx;

	dedup_places_add(h->places, h->guest, page, pages, store, offset);
}

/* Where the pages lie now. Of a guest that does not say all are its own. -ENOMEM, logged. */
static int find_places(struct dedup *d, struct dedup_places *places)
{
	for (unsigned i = 0; i < d->n; i++) {
		struct holder h = {.places = places, .guest = i};

		if (d->guest[i].gone)
			continue;
		if (dedup_places_begin(places, i, d->guest[i].f.pages) < 0)
			return log_errno(ENOMEM, "dedup");
		if (dedup_client_places(&d->guest[i], add_place, &h) < 0)
			dedup_drop(d, i);
	}
	return 0;
}

/* Learns early who takes part, and in which units. */
static int ask_for_units(struct dedup *d)
{
	const int store = dedup_make_store(PAGE_SIZE);

	if (store < 0)
		return store;
	for (unsigned i = 0; i < d->n; i++)
		if (!d->guest[i].gone && dedup_client_store(&d->guest[i], store, d->users) < 0)
			dedup_drop(d, i);
	close(store);
	return dedup_check_present(d);
}

int dedup_run(struct dedup *d)
{
	struct dedup_places *places = calloc(1, sizeof(*places));
	struct dedup_pieces pieces = {0};
	int r = places ? ask_for_units(d) : log_errno(ENOMEM, "dedup");

	if (r == 0)
		r = find(d, &pieces);
	if (r == 0)
		r = find_places(d, places);
	if (r == 0)
		r = dedup_merge(d, &pieces, places);
	if (places)
		dedup_places_free(places);
	free(places);
	dedup_pieces_free(&pieces);
	return r;
}
