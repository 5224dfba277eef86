/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "share/dedup_places.h"

/* Pieces [first, first + nr) have one hash. */
struct group {
	size_t first, nr;
	uint64_t offset, pages;
};

static int by_hash(const void *a, const void *b)
{
	const struct dedup_piece *x = a, *y = b;
	const int d = memcmp(&x->digest, &y->digest, sizeof(x->digest));

	if (d)
		return d;
	if (x->level != y->level)
		return x->level < y->level ? -1 : 1;
	if (x->guest != y->guest)
		return x->guest < y->guest ? -1 : 1;
	return x->page < y->page ? -1 : x->page > y->page;
}

static int by_node(const void *a, const void *b)
{
	const struct dedup_piece *x = a, *y = b;

	if (x->guest != y->guest)
		return x->guest < y->guest ? -1 : 1;
	if (x->page != y->page)
		return x->page < y->page ? -1 : 1;
	return (int)x->level - (int)y->level;
}

void dedup_keep_stable(struct dedup_pieces *p, struct dedup_pieces *before)
{
	size_t n = 0;

	if (!before->nr)
		return;
	qsort(before->piece, before->nr, sizeof(*before->piece), by_node);
	for (size_t i = 0; i < p->nr; i++) {
		const struct dedup_piece *was =
		    bsearch(&p->piece[i], before->piece, before->nr, sizeof(*before->piece), by_node);

		if (!was || share_digest_equal(&was->digest, &p->piece[i].digest))
			p->piece[n++] = p->piece[i];
	}
	p->nr = n;
}

static int by_giver(const void *a, const void *b, void *ctx)
{
	const struct dedup_piece *piece = ctx, *x = &piece[((const struct group *)a)->first],
	                         *y = &piece[((const struct group *)b)->first];

	if (x->guest != y->guest)
		return x->guest < y->guest ? -1 : 1;
	return x->page < y->page ? -1 : x->page > y->page;
}

static int by_place(const void *a, const void *b)
{
	const struct dedup_range *x = a, *y = b;

	if (x->guest != y->guest)
		return x->guest < y->guest ? -1 : 1;
	if (x->store != y->store)
		return x->store < y->store ? -1 : 1;
	return x->page < y->page ? -1 : x->page > y->page;
}

static int by_length(const void *a, const void *b)
{
	const struct dedup_range *x = a, *y = b;

	if (x->guest != y->guest || x->store != y->store || x->pages == y->pages)
		return by_place(a, b);
	return x->pages > y->pages ? -1 : 1;
}

/* All groups of two and more, by the place of their first, with their places in the stores. NULL with *ret_nr 0: none. */
static struct group *find_groups(const struct dedup_pieces *p, struct dedup_plan *plan, size_t *ret_nr)
{
	struct group *group = calloc(p->nr / 2 + 1, sizeof(*group));
	size_t nr = 0;

	if (!group)
		return NULL;
	for (size_t i = 0, n; i < p->nr; i += n) {
		uint64_t pages = p->piece[i].pages;

		for (n = 1; i + n < p->nr && p->piece[i].level == p->piece[i + n].level &&
		            share_digest_equal(&p->piece[i].digest, &p->piece[i + n].digest);
		     n++)
			pages = p->piece[i + n].pages < pages ? p->piece[i + n].pages : pages;
		if (n > 1)
			group[nr++] = (struct group){.first = i, .nr = n, .pages = pages};
	}
	if (nr)
		qsort_r(group, nr, sizeof(*group), by_giver, p->piece);
	for (size_t i = 0; i < nr; i++) {
		const struct dedup_piece *first = &p->piece[group[i].first];
		uint64_t *end = &plan->store_pages[first->guest];

		/* So that 2 MiB stay 2 MiB that begin at a multiple of them. */
		if (first->level)
			*end = (*end + SHARE_FANOUT - 1) / SHARE_FANOUT * SHARE_FANOUT;
		group[i].offset = *end;
		*end += group[i].pages;
	}
	*ret_nr = nr;
	return group;
}

static size_t join(struct dedup_range *range, size_t nr)
{
	size_t n = 0;

	if (nr)
		qsort(range, nr, sizeof(*range), by_place);
	for (size_t i = 0; i < nr; i++) {
		struct dedup_range *last = n ? &range[n - 1] : NULL;

		if (last && last->guest == range[i].guest && last->store == range[i].store &&
		    last->page + last->pages == range[i].page && last->offset + last->pages == range[i].offset)
			last->pages += range[i].pages;
		else
			range[n++] = range[i];
	}
	return n;
}

static int append(struct dedup_range **array, size_t *nr, size_t *room, const struct dedup_range *range)
{
	if (*nr == *room) {
		const size_t more = *room ? 2 * *room : 1024;
		struct dedup_range *larger = reallocarray(*array, more, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		*array = larger;
		*room = more;
	}
	(*array)[(*nr)++] = *range;
	return 0;
}

struct build {
	struct dedup_plan *plan;
	const struct dedup_places *places;
	size_t give_room, take_room;
	uint64_t unit; /* pages */
};

/* Pages [i, i + pages) of a group. */
static int add_part(struct build *b, const struct dedup_piece *first, const struct group *g, uint64_t i, uint64_t pages)
{
	int r = 0;

	for (size_t k = 0; r == 0 && k < g->nr; k++) {
		const struct dedup_range range = {.page = first[k].page + i,
		                                  .pages = pages,
		                                  .offset = g->offset + i,
		                                  .guest = first[k].guest,
		                                  .store = first->guest};

		if (k == 0)
			r = append(&b->plan->give, &b->plan->nr_give, &b->give_room, &range);
		if (r == 0)
			r = append(&b->plan->take, &b->plan->nr_take, &b->take_room, &range);
	}
	return r;
}

static bool is_settled(const struct build *b, const struct dedup_piece *first, const struct group *g, uint64_t i)
{
	uint64_t k = 0;

	while (k < b->unit && dedup_places_once(b->places, first, g->nr, i + k))
		k++;
	return k == b->unit;
}

/* What is not settled of a group. */
static int add_group(struct build *b, const struct dedup_piece *first, const struct group *g)
{
	int r = 0;

	for (uint64_t i = 0, n; r == 0 && i + b->unit <= g->pages; i += n ? n : b->unit) {
		for (n = 0; i + n + b->unit <= g->pages && !is_settled(b, first, g, i + n); n += b->unit)
			;
		if (n)
			r = add_part(b, first, g, i, n);
	}
	return r;
}

int dedup_plan(struct dedup_pieces *p, const struct dedup_places *places, int level, struct dedup_plan *ret)
{
	struct build b = {.plan = ret, .places = places, .unit = share_span(level)};
	struct group *group;
	size_t nr = 0;
	int r = 0;

	*ret = (struct dedup_plan){0};
	if (p->nr)
		qsort(p->piece, p->nr, sizeof(*p->piece), by_hash);
	group = find_groups(p, ret, &nr);
	if (!group)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < nr; i++)
		r = add_group(&b, &p->piece[group[i].first], &group[i]);
	free(group);
	if (r < 0)
		return r;
	ret->nr_give = join(ret->give, ret->nr_give);
	ret->nr_take = join(ret->take, ret->nr_take);
	if (ret->nr_take)
		qsort(ret->take, ret->nr_take, sizeof(*ret->take), by_length);
	return 0;
}

void dedup_plan_free(struct dedup_plan *plan)
{
	free(plan->give);
	free(plan->take);
	*plan = (struct dedup_plan){0};
}
