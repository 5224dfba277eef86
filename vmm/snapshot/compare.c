/* SPDX-License-Identifier: MIT */
#include "snapshot/compare.h"

#include <errno.h>
#include <gnomon/addr.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/outfile_place.h"

/* A place in a file's runs. */
struct cursor {
	struct snapshot *s;
	uint64_t run;
	/* Of the second: by file, a bit for each file of the first that is the same. */
	uint32_t same[SNAPSHOT_CHAIN_MAX];
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

/* Whether a page of two runs is the same bytes of one file: of what is below both in their chains nothing is read. */
static bool is_shared(const struct cursor *a, const struct snapshot_extent *in_a, const struct cursor *b,
                      const struct snapshot_extent *in_b, uint64_t gfn)
{
	const uint64_t nr_a = gfn - in_a->gfn, nr_b = gfn - in_b->gfn;

	if (in_a->kind != in_b->kind || !(b->same[in_b->file] & 1u << in_a->file))
		return false;
	if (in_a->kind == SNAPSHOT_STORED)
		return in_a->at + nr_a * PAGE_SIZE == in_b->at + nr_b * PAGE_SIZE;
	return in_a->at == in_b->at && in_a->frame == in_b->frame && in_a->skip + nr_a == in_b->skip + nr_b;
}

/* A file that cannot be asked is the same as none. */
static void find_same(const struct snapshot *a, const struct snapshot *b, uint32_t ret_same[SNAPSHOT_CHAIN_MAX])
{
	struct stat in_a, in_b;

	_Static_assert(SNAPSHOT_CHAIN_MAX <= 32, "a bit for each");
	for (unsigned i = 0; i < b->nr_files; i++)
		for (unsigned j = 0; j < a->nr_files; j++)
			if (fstat(b->file[i].fd, &in_b) == 0 && fstat(a->file[j].fd, &in_a) == 0 &&
			    outfile_is_one(&in_a, &in_b))
				ret_same[i] |= 1u << j;
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
	if (in_a && in_b && is_shared(a, in_a, b, in_b, gfn)) {
		c->shared++;
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

	find_same(a, b, in_b.same);
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
	c->pages = c->compared = c->shared = 0;
	compare_states(&a->state, &b->state, c);
	return compare_pages(a, b, c, ret_why);
}
