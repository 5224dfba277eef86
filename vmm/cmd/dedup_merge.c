/* SPDX-License-Identifier: MIT */
/*
 * What `gnomon dedup` does with what it found equal: each store is filled by its guest, sealed, and taken by all, in turns.
 * Then go the zeroes.
 */
#include <errno.h>
#include <fcntl.h>
#include <gnomon/addr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/dedup.h"

/* The ranges as a guest is told of them. NULL: no memory, logged, or none. */
static struct dedup_range_arg *make_args(struct dedup *d, const struct dedup_range *range, size_t n)
{
	struct dedup_range_arg *arg = n ? calloc(n, sizeof(*arg)) : NULL;

	if (n && !arg) {
		log_errno(ENOMEM, "dedup");
		d->failed = true;
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		arg[i] = (struct dedup_range_arg){.gpa = range[i].page * PAGE_SIZE,
		                                  .size = range[i].pages * PAGE_SIZE,
		                                  .offset = range[i].offset * PAGE_SIZE};
	return arg;
}

/* The guest works on its ranges. One that fails takes no further part. */
static void work(struct dedup *d, unsigned guest, const char *command, const struct dedup_range *range, size_t n)
{
	struct dedup_range_arg *arg = make_args(d, range, n);
	struct dedup_work w = {.command = command, .range = arg, .n = arg ? n : 0};

	if (dedup_client_work(&d->guest[guest], &w) < 0)
		dedup_drop(d, guest);
	free(arg);
}

static bool has_store(struct dedup *d, unsigned guest, int store)
{
	if (dedup_client_store(&d->guest[guest], store, d->users) == 0)
		return true;
	dedup_drop(d, guest);
	return false;
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

int dedup_make_store(uint64_t bytes)
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
	dedup_drop(d, guest);
	return false;
}

/* All guests take what is theirs of a store: one works while others run that stood still before. */
static void take(struct dedup *d, const struct dedup_plan *plan, unsigned giver, int store)
{
	struct dedup_range_arg *arg[DEDUP_GUESTS] = {0};
	struct dedup_work w[DEDUP_GUESTS] = {0};
	bool more = true;

	for (unsigned i = 0; i < d->n; i++) {
		size_t n;
		const struct dedup_range *range = select_ranges(plan->take, plan->nr_take, i, giver, &n);

		if (n && !d->guest[i].gone && has_store(d, i, store))
			arg[i] = make_args(d, range, n);
		w[i] = (struct dedup_work){.command = "dedup-take", .range = arg[i], .n = arg[i] ? n : 0};
	}
	while (more) {
		more = false;
		for (unsigned i = 0; i < d->n; i++) {
			if (!w[i].n)
				continue;
			if (dedup_client_step(&d->guest[i], &w[i]) < 0) {
				dedup_drop(d, i);
				w[i].n = 0;
			}
			more |= w[i].n > 0;
		}
	}
	for (unsigned i = 0; i < d->n; i++)
		free(arg[i]);
}

static int merge_store(struct dedup *d, const struct dedup_plan *plan, unsigned giver)
{
	size_t n;
	const struct dedup_range *range = select_ranges(plan->give, plan->nr_give, giver, giver, &n);
	int store;

	if (!n)
		return 0;
	store = dedup_make_store(plan->store_pages[giver] * PAGE_SIZE);
	if (store < 0)
		return store;
	if (has_store(d, giver, store))
		work(d, giver, "dedup-give", range, n);
	if (!d->guest[giver].gone && seal(d, giver, store))
		take(d, plan, giver, store);
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
		struct dedup_work w = {.command = "dedup-take", .range = arg};

		for (size_t i = 0; i < p->nr_zero; i++)
			if (p->zero[i].guest == g)
				arg[w.n++] = (struct dedup_range_arg){.gpa = p->zero[i].page * PAGE_SIZE,
				                                      .size = p->zero[i].pages * PAGE_SIZE,
				                                      .zero = true};
		if (!d->guest[g].gone && dedup_client_work(&d->guest[g], &w) < 0)
			dedup_drop(d, g);
	}
	free(arg);
}

int dedup_merge(struct dedup *d, struct dedup_pieces *pieces, const struct dedup_places *places)
{
	const int64_t start = clock_us();
	struct dedup_plan plan = {0};
	int r = dedup_plan(pieces, places, dedup_level(d), &plan);

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
