/* SPDX-License-Identifier: MIT */
#include "share/dedup.h"

#include <errno.h>
#include <stdlib.h>

#define NOBODY UINT16_MAX

struct find {
	const struct descent_side *guest;
	unsigned n;
	const struct share_hash *hash;
	int level;
	struct dedup_pieces *ret;
	size_t room, zero_room;
	size_t last_zero[DEDUP_GUESTS]; /* each guest's last range of zeroes, + 1 */
};

/* Whose hashes stand for each guest's; NOBODY: nothing of it is here. */
struct classes {
	uint16_t of[DEDUP_GUESTS];
};

static struct dedup_piece piece_of(const struct find *f, unsigned guest, int level, uint64_t index)
{
	const uint64_t page = index * share_span(level), rest = f->guest[guest].pages - page;

	return (struct dedup_piece){.page = page,
	                            .pages = share_span(level) < rest ? share_span(level) : rest,
	                            .guest = (uint16_t)guest,
	                            .level = (uint8_t)level};
}

static int append(struct dedup_piece **array, size_t *nr, size_t *room, const struct dedup_piece *piece)
{
	if (*nr == DEDUP_PIECES)
		return -E2BIG;
	if (*nr == *room) {
		const size_t more = *room ? 2 * *room : 1024;
		struct dedup_piece *larger = reallocarray(*array, more, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		*array = larger;
		*room = more;
	}
	(*array)[(*nr)++] = *piece;
	return 0;
}

static int add_piece(struct find *f, unsigned guest, int level, uint64_t index, const struct share_digest *digest)
{
	struct dedup_piece piece = piece_of(f, guest, level, index);

	piece.digest = *digest;
	return append(&f->ret->piece, &f->ret->nr, &f->room, &piece);
}

/* Joins it with zeroes that lie before it. */
static int add_zero(struct find *f, unsigned guest, int level, uint64_t index)
{
	const struct dedup_piece piece = piece_of(f, guest, level, index);
	struct dedup_piece *last = f->last_zero[guest] ? &f->ret->zero[f->last_zero[guest] - 1] : NULL;
	int r;

	if (last && last->page + last->pages == piece.page) {
		last->pages += piece.pages;
		return 0;
	}
	r = append(&f->ret->zero, &f->ret->nr_zero, &f->zero_room, &piece);
	if (r == 0)
		f->last_zero[guest] = f->ret->nr_zero;
	return r;
}

static int look(struct find *f, int level, uint64_t first, unsigned count, const struct classes *classes);

/* Sorts the guests into classes of one hash each. Returns how many there are; -errno. */
static int classify(struct find *f, int level, uint64_t index, const struct classes *above,
                    const struct share_digest *digest, unsigned stride, struct classes *ret)
{
	int nr = 0, r;

	for (unsigned g = 0; g < f->n; g++) {
		const struct share_digest *d;

		ret->of[g] = NOBODY;
		if (above->of[g] == NOBODY || index * share_span(level) >= f->guest[g].pages)
			continue;
		d = &digest[(size_t)above->of[g] * stride];
		if (share_digest_equal(d, &f->hash->absent[level]))
			continue;
		if (share_digest_equal(d, &f->hash->zero[level])) {
			r = add_zero(f, g, level, index);
			if (r < 0)
				return r;
			continue;
		}
		for (unsigned h = 0; h < g && ret->of[g] == NOBODY; h++) {
			if (ret->of[h] != h)
				continue;
			f->ret->comparisons++;
			if (share_digest_equal(d, &digest[(size_t)above->of[h] * stride]))
				ret->of[g] = (uint16_t)h;
		}
		if (ret->of[g] == NOBODY) {
			ret->of[g] = (uint16_t)g;
			nr++;
		}
	}
	return nr;
}

/* A node: `digest` has each guest's, `stride` apart. */
static int node(struct find *f, int level, uint64_t index, const struct classes *above,
                const struct share_digest *digest, unsigned stride)
{
	struct classes classes;
	unsigned members = 0;
	int nr = classify(f, level, index, above, digest, stride, &classes), r = 0;

	if (nr <= 0)
		return nr;
	for (unsigned g = 0; g < f->n; g++)
		members += classes.of[g] != NOBODY;
	if (level > f->level && (nr > 1 || members == 1))
		return look(f, level - 1, index * SHARE_FANOUT, SHARE_FANOUT, &classes);
	for (unsigned g = 0; r == 0 && g < f->n; g++)
		if (classes.of[g] != NOBODY)
			r = add_piece(f, g, level, index, &digest[(size_t)above->of[g] * stride]);
	return r;
}

/* Asks one guest of each class for `count` nodes of a level, and looks at each. */
static int look(struct find *f, int level, uint64_t first, unsigned count, const struct classes *classes)
{
	struct share_digest *digest = calloc((size_t)f->n * count, sizeof(*digest));
	int r = digest ? 0 : -ENOMEM;

	for (unsigned g = 0; r == 0 && g < f->n; g++) {
		const struct descent_side *side = &f->guest[g];

		if (classes->of[g] != g)
			continue;
		r = side->hashes(side->ctx, level, first, count, digest + (size_t)g * count);
		f->ret->hashes += count;
		if (r < 0)
			f->ret->failed = (int)g;
	}
	for (unsigned i = 0; r == 0 && i < count; i++)
		r = node(f, level, first + i, classes, digest + i, count);
	free(digest);
	return r;
}

/* The guest that most of the pieces are of. */
static int largest(const struct find *f)
{
	size_t of[DEDUP_GUESTS] = {0};
	int most = 0;

	for (size_t i = 0; i < f->ret->nr; i++)
		of[f->ret->piece[i].guest]++;
	for (size_t i = 0; i < f->ret->nr_zero; i++)
		of[f->ret->zero[i].guest]++;
	for (unsigned g = 1; g < f->n; g++)
		if (of[g] > of[most])
			most = (int)g;
	return most;
}

int dedup_find(const struct descent_side *guest, unsigned n, const struct share_hash *hash, int level,
               struct dedup_pieces *ret)
{
	struct find f = {.guest = guest, .n = n, .hash = hash, .level = level, .ret = ret};
	struct classes all;
	int r;

	BUG_ON(n == 0 || n > DEDUP_GUESTS);
	*ret = (struct dedup_pieces){.failed = -1};
	for (unsigned g = 0; g < n; g++)
		all.of[g] = guest[g].pages ? (uint16_t)g : NOBODY;
	r = look(&f, SHARE_LEVELS, 0, 1, &all);
	if (r == -E2BIG)
		ret->failed = largest(&f);
	return r;
}

void dedup_pieces_free(struct dedup_pieces *p)
{
	free(p->piece);
	free(p->zero);
	*p = (struct dedup_pieces){.failed = -1};
}
