/* SPDX-License-Identifier: MIT */
#include "snapshot/compare.h"

#include <errno.h>
#include <gnomon/addr.h>
#include <stdio.h>
#include <string.h>

/* A place in a file's runs. */
struct cursor {
	struct snapshot *s;
	uint64_t run;
};

/* The run that has this page, or NULL: it is all zero. Pages are asked for in ascending order. */
static const struct snapshot_extent *run_at(struct cursor *c, uint64_t gfn)
{
	const struct snapshot_extent *run;

	while (c->run < c->s->nr_runs && c->s->run[c->run].gfn + c->s->run[c->run].pages <= gfn)
		c->run++;
	run = c->run < c->s->nr_runs ? &c->s->run[c->run] : NULL;
	return run && run->gfn <= gfn ? run : NULL;
}

/* The first page from `gfn` on that is in a run. */
static uint64_t next_at(struct cursor *c, uint64_t gfn)
{
	if (run_at(c, gfn))
		return gfn;
	return c->run < c->s->nr_runs ? c->s->run[c->run].gfn : UINT64_MAX;
}

static int content(struct cursor *c, uint64_t gfn, uint8_t ret_page[PAGE_SIZE], char *ret_why)
{
	const struct snapshot_extent *run = run_at(c, gfn);

	if (run && run->kind != SNAPSHOT_ABSENT)
		return snapshot_page(c->s, run, gfn - run->gfn, ret_page, ret_why);
	memset(ret_page, 0, PAGE_SIZE);
	return 0;
}

/* Whether the bytes of both files are the same, by the hashes of the blocks that they lie in: nothing is read. */
static bool same_by_hash(const struct snapshot_file *a, uint64_t at_a, const struct snapshot_file *b, uint64_t at_b,
                         uint64_t size)
{
	const uint64_t from_a = at_a - SNAPSHOT_HEADER, from_b = at_b - SNAPSHOT_HEADER;
	const uint64_t first_a = from_a / SNAPSHOT_BLOCK, first_b = from_b / SNAPSHOT_BLOCK;
	const uint64_t blocks = (from_a + size - 1) / SNAPSHOT_BLOCK - first_a + 1;

	/* The last block of a file is shorter: another hash, as another content has. */
	return from_a % SNAPSHOT_BLOCK == from_b % SNAPSHOT_BLOCK && first_a + blocks <= a->nr_leaves &&
	       first_b + blocks <= b->nr_leaves &&
	       memcmp(a->leaf[first_a], b->leaf[first_b], blocks * SNAPSHOT_HASH) == 0;
}

/* Likewise a page of two runs. Files of a chain that are below both have it at one place. */
static bool same_place(const struct cursor *a, const struct snapshot_extent *in_a, const struct cursor *b,
                       const struct snapshot_extent *in_b, uint64_t gfn)
{
	const struct snapshot_file *file_a = &a->s->file[in_a->file], *file_b = &b->s->file[in_b->file];
	const uint64_t nr_a = gfn - in_a->gfn, nr_b = gfn - in_b->gfn;

	if (in_a->kind != in_b->kind)
		return false;
	if (in_a->kind == SNAPSHOT_STORED)
		return same_by_hash(file_a, in_a->at + nr_a * PAGE_SIZE, file_b, in_b->at + nr_b * PAGE_SIZE,
		                    PAGE_SIZE);
	return in_a->skip + nr_a == in_b->skip + nr_b && in_a->frame == in_b->frame && in_a->size == in_b->size &&
	       same_by_hash(file_a, in_a->at, file_b, in_b->at, in_a->size);
}

/* 1: the page differs, 0, or -errno. */
static int compare_page(struct cursor *a, struct cursor *b, uint64_t gfn, struct snapshot_comparison *c, char *ret_why)
{
	const struct snapshot_extent *in_a = run_at(a, gfn), *in_b = run_at(b, gfn);
	const bool absent_a = in_a && in_a->kind == SNAPSHOT_ABSENT, absent_b = in_b && in_b->kind == SNAPSHOT_ABSENT;
	uint8_t page_a[PAGE_SIZE], page_b[PAGE_SIZE];
	int r;

	if (absent_a || absent_b)
		return absent_a != absent_b;
	if (in_a && in_b && same_place(a, in_a, b, in_b, gfn)) {
		c->by_hash++;
		return 0;
	}
	c->compared++;
	r = content(a, gfn, page_a, ret_why);
	if (r == 0)
		r = content(b, gfn, page_b, ret_why);
	return r < 0 ? r : memcmp(page_a, page_b, PAGE_SIZE) != 0;
}

static int compare_pages(struct snapshot *a, struct snapshot *b, struct snapshot_comparison *c, char *ret_why)
{
	struct cursor in_a = {.s = a}, in_b = {.s = b};
	struct snapshot_difference range = {0};

	for (uint64_t gfn = 0;; gfn++) {
		const uint64_t next_a = next_at(&in_a, gfn), next_b = next_at(&in_b, gfn);
		int differs = 0;

		gfn = next_a < next_b ? next_a : next_b;
		if (gfn != UINT64_MAX)
			differs = compare_page(&in_a, &in_b, gfn, c, ret_why);
		if (differs < 0)
			return differs;
		if (range.pages && (!differs || range.gfn + range.pages != gfn)) {
			c->page(c->ctx, &range);
			range.pages = 0;
		}
		if (gfn == UINT64_MAX)
			return 0;
		if (differs && !range.pages)
			range.gfn = gfn;
		range.pages += (uint64_t)differs;
		c->pages += (uint64_t)differs;
	}
}

/* Of two numbers of bytes that stand for the same fields. */
static void compare_part(struct snapshot_comparison *c, const char *name, const void *a, const void *b, size_t size)
{
	if (memcmp(a, b, size) != 0)
		c->part(c->ctx, name);
}

static bool balloons_differ(const struct balloon_saved *a, const struct balloon_saved *b)
{
	struct balloon_saved x = *a, y = *b;

	x.in_map = y.in_map = NULL;
	return memcmp(&x, &y, sizeof(x)) != 0 || memcmp(a->in_map, b->in_map, a->nr_words * sizeof(*a->in_map)) != 0;
}

static void compare_states(const struct snapshot_state *a, const struct snapshot_state *b,
                           struct snapshot_comparison *c)
{
	char name[16];

	for (uint32_t i = 0; i < a->nr_cpus; i++) {
		snprintf(name, sizeof(name), "CPU %u", i);
		compare_part(c, name, &a->cpu[i], &b->cpu[i], sizeof(a->cpu[i]));
	}
	compare_part(c, "console", &a->serial, &b->serial, sizeof(a->serial));
	if (balloons_differ(&a->balloon, &b->balloon))
		c->part(c->ctx, "balloon");
}

int snapshot_compare(struct snapshot *a, struct snapshot *b, struct snapshot_comparison *c, char *ret_why)
{
	if (a->shape.memory != b->shape.memory || a->shape.cpus != b->shape.cpus) {
		snprintf(ret_why, SNAPSHOT_WHY_MAX, "they are of machines with %llu and %llu MiB, %u and %u CPUs",
		         (unsigned long long)(a->shape.memory >> 20), (unsigned long long)(b->shape.memory >> 20),
		         a->shape.cpus, b->shape.cpus);
		return -EINVAL;
	}
	c->pages = c->compared = c->by_hash = 0;
	compare_states(&a->state, &b->state, c);
	return compare_pages(a, b, c, ret_why);
}
