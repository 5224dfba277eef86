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
#include <fcntl.h>
#include <gnomon/addr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hex.h"
#include "cmd/dedup.h"
#include "share/dedup_places.h"

#define PAGES_MAX (1ull << 28) /* of a guest */
#define TRIES     8            /* others who ask for the same fingerprint come in between */

static void drop(struct dedup *d, unsigned i)
{
	log_error("dedup: %s takes no further part", d->guest[i].path);
	dedup_client_close(&d->guest[i]);
	d->failed = true;
}

static unsigned present(const struct dedup *d)
{
	unsigned n = 0;

	for (unsigned i = 0; i < d->n; i++)
		n += !d->guest[i].gone;
	return n;
}

static int check_present(const struct dedup *d)
{
	if (present(d) >= 2)
		return 0;
	log_error("dedup: there are no two guests left");
	return -ENOENT;
}

/* --- what is equal --- */

/* Memory that anybody has in pages of 2 MiB is looked at by those. */
static int lowest_level(const struct dedup *d)
{
	for (unsigned i = 0; i < d->n; i++)
		if (!d->guest[i].gone && d->guest[i].unit > PAGE_SIZE)
			return 1;
	return 0;
}

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
			drop(d, i);
			continue;
		}
		if (f->pages > PAGES_MAX) {
			log_error("dedup: %s has more memory than can be looked at", d->guest[i].path);
			drop(d, i);
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
			drop(d, i);
	}
	d->update_us += clock_us() - start;
	return check_present(d);
}

static int find_once(struct dedup *d, struct dedup_pieces *ret)
{
	struct dedup_guest guest[DEDUP_GUESTS] = {0};
	enum share_algorithm algorithm = SHARE_BLAKE2B;
	struct share_hash *hash = malloc(sizeof(*hash));
	uint8_t key[SHARE_KEY];
	int r = hash ? update(d, key) : log_errno(ENOMEM, "dedup");
	const int64_t start = clock_us();

	*ret = (struct dedup_pieces){.failed = -1};
	for (unsigned i = 0; r == 0 && i < d->n; i++) {
		guest[i].side = (struct descent_side){fingerprint_client_hashes, &d->guest[i].f,
		                                      d->guest[i].gone ? 0 : d->guest[i].f.pages};
	}
	if (r == 0) {
		(void)share_algorithm_parse(d->algorithm, &algorithm);
		share_hash_init(hash, algorithm, key);
		r = dedup_find(guest, d->n, hash, lowest_level(d), ret);
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
	for (int tries = 0; tries < TRIES;) {
		const int r = find_once(d, ret);

		d->hashes += ret->hashes;
		d->comparisons += ret->comparisons;
		if (r == 0 || ret->failed < 0)
			return r;
		if (r == -ESTALE)
			tries++;
		else
			drop(d, (unsigned)ret->failed);
		dedup_pieces_free(ret);
	}
	log_error("dedup: somebody else has one of the fingerprints brought up to date all the time");
	return -ESTALE;
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
			drop(d, i);
	}
	return 0;
}

/* --- merging --- */

/* The guest works on its ranges of one store. One that fails takes no further part. */
static void work(struct dedup *d, unsigned guest, const char *command, const struct dedup_range *range, size_t n)
{
	struct dedup_range_arg *arg = n ? calloc(n, sizeof(*arg)) : NULL;

	if (n && !arg) {
		log_errno(ENOMEM, "dedup");
		d->failed = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		arg[i] = (struct dedup_range_arg){.gpa = range[i].page * PAGE_SIZE,
		                                  .size = range[i].pages * PAGE_SIZE,
		                                  .offset = range[i].offset * PAGE_SIZE};
	if (n && dedup_client_work(&d->guest[guest], command, arg, n) < 0)
		drop(d, guest);
	free(arg);
}

/* The same with a store that it is given first. */
static void work_with(struct dedup *d, unsigned guest, int store, const char *command, const struct dedup_range *range,
                      size_t n)
{
	if (dedup_client_store(&d->guest[guest], store, d->users) < 0)
		drop(d, guest);
	else
		work(d, guest, command, range, n);
}

/* Ranges of one guest and store, of an array that is sorted by them. */
static const struct dedup_range *select_ranges(const struct dedup_range *range, size_t nr, unsigned guest,
                                               unsigned store, size_t *ret_n)
{
	size_t first = 0, n = 0;

	while (first < nr && (range[first].guest != guest || range[first].store != store))
		first++;
	while (first + n < nr && range[first + n].guest == guest && range[first + n].store == store)
		n++;
	*ret_n = n;
	return n ? range + first : NULL; /* there may be no array at all */
}

/* A file in memory that is as long as it will ever be. -errno, logged. */
static int make_store(uint64_t bytes)
{
	const int fd = memfd_create("gnomon-dedup", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return log_errno(errno, "dedup: the host gives no memory to share");
	if (ftruncate(fd, (off_t)bytes) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0)
		return fd;
	close(fd);
	return log_errno(errno, "dedup: the host gives no memory to share");
}

/* From here on nobody writes the store, its guest included. */
static bool seal(struct dedup *d, unsigned guest, int store)
{
	if (fcntl(store, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL) == 0)
		return true;
	log_error("dedup: %s keeps its part of the store from being sealed (%s)", d->guest[guest].path,
	          strerror(errno));
	drop(d, guest);
	return false;
}

static int merge_store(struct dedup *d, const struct dedup_plan *plan, unsigned giver)
{
	size_t n;
	const struct dedup_range *range = select_ranges(plan->give, plan->nr_give, giver, giver, &n);
	int store;

	if (!n)
		return 0;
	store = make_store(plan->store_pages[giver] * PAGE_SIZE);
	if (store < 0)
		return store;
	work_with(d, giver, store, "dedup-give", range, n);
	if (!d->guest[giver].gone && seal(d, giver, store)) {
		for (unsigned i = 0; i < d->n; i++) {
			range = select_ranges(plan->take, plan->nr_take, i, giver, &n);
			if (n && !d->guest[i].gone)
				work_with(d, i, store, "dedup-take", range, n);
		}
	}
	close(store);
	return 0;
}

static void advise(struct dedup *d, const struct dedup_plan *plan)
{
	const struct dedup_range *range;
	size_t n;

	for (unsigned giver = 0; giver < d->n; giver++) {
		for (unsigned i = 0; i < d->n; i++) {
			range = select_ranges(plan->take, plan->nr_take, i, giver, &n);
			if (!d->guest[i].gone)
				work(d, i, "dedup-advise", range, n);
		}
	}
}

/* Pages of zeroes that somebody touched need no other guest. */
static void drop_zeroes(struct dedup *d, const struct dedup_pieces *p)
{
	struct dedup_range_arg *arg = p->nr_zero ? calloc(p->nr_zero, sizeof(*arg)) : NULL;

	for (unsigned g = 0; arg && g < d->n; g++) {
		size_t n = 0;

		for (size_t i = 0; i < p->nr_zero; i++)
			if (p->zero[i].guest == g)
				arg[n++] = (struct dedup_range_arg){.gpa = p->zero[i].page * PAGE_SIZE,
				                                    .size = p->zero[i].pages * PAGE_SIZE,
				                                    .zero = true};
		if (n && !d->guest[g].gone && dedup_client_work(&d->guest[g], "dedup-take", arg, n) < 0)
			drop(d, g);
	}
	free(arg);
}

/* Learns early who takes part, and in which units. */
static int ask_for_units(struct dedup *d)
{
	const int store = make_store(PAGE_SIZE);

	if (store < 0)
		return store;
	for (unsigned i = 0; i < d->n; i++)
		if (!d->guest[i].gone && dedup_client_store(&d->guest[i], store, d->users) < 0)
			drop(d, i);
	close(store);
	return check_present(d);
}

static int merge(struct dedup *d, struct dedup_pieces *pieces, const struct dedup_places *places)
{
	const int64_t start = clock_us();
	struct dedup_plan plan = {0};
	int r = dedup_plan(pieces, places, lowest_level(d), &plan);

	if (r < 0)
		log_errno(-r, "dedup");
	for (unsigned g = 0; r == 0 && !d->ksm && g < d->n; g++)
		if (plan.store_pages[g] && !d->guest[g].gone)
			r = merge_store(d, &plan, g);
	if (r == 0 && d->ksm)
		advise(d, &plan);
	if (r == 0 && !d->ksm)
		drop_zeroes(d, pieces);
	dedup_plan_free(&plan);
	d->work_us = clock_us() - start;
	return r;
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
		r = merge(d, &pieces, places);
	if (places)
		dedup_places_free(places);
	free(places);
	dedup_pieces_free(&pieces);
	return r;
}
