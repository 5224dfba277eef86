/* SPDX-License-Identifier: MIT */
/*
 * Files that build on each other, made up. They are descriptors: their names are their numbers, in /proc/self/fd. For unit
 * tests.
 */
#ifndef TESTS_UNIT_SNAPSHOT_LINK_H
#define TESTS_UNIT_SNAPSHOT_LINK_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>

#include "snapshot_made.h"

#define PAGES  (MADE_MEMORY / PAGE_SIZE)
#define ZERO   0
#define ABSENT 1

/* A file of a chain, and what each page is then: ZERO, ABSENT or of a content. */
struct link {
	int fd;
	uint8_t root[SNAPSHOT_HASH];
	uint16_t page[PAGES];
};

static int dir; /* of the files: link_setup() */
static char why[SNAPSHOT_WHY_MAX];

static inline void link_setup(void)
{
	dir = open("/proc/self/fd", O_PATH | O_DIRECTORY);
	cr_assert_geq(dir, 0);
}

static inline void name_base(struct snapshot_shape *shape, const struct link *base)
{
	snprintf(shape->base, sizeof(shape->base), "%d", base->fd);
	memcpy(shape->base_root, base->root, sizeof(shape->base_root));
}

static inline void content(uint16_t which, uint8_t ret_page[PAGE_SIZE])
{
	if (which == ZERO)
		memset(ret_page, 0, PAGE_SIZE);
	else
		made_page(which, ret_page);
	if (which != ZERO)
		ret_page[0] = 1; /* in case of a content that is all zero */
}

struct link_pair {
	const struct link *link, *base;
};

static inline enum made fill_link(const void *ctx, uint64_t gfn, uint8_t page[PAGE_SIZE])
{
	const struct link_pair *p = ctx;
	const uint16_t is = p->link->page[gfn];

	content(is, page);
	if (p->base && p->base->page[gfn] == is)
		return MADE_AS_BELOW;
	return is == ABSENT ? MADE_ABSENT : MADE_PAGE;
}

/* Writes the pages that differ from `base`; all of them if that is NULL. `shape` may say more. */
static inline void write_link(struct link *l, const struct link *base, bool pack, struct snapshot_shape shape)
{
	const struct link_pair pair = {l, base};
	struct snapshot_state state = made_state(1);

	l->fd = memfd_create("snapshot", MFD_CLOEXEC);
	made_write(l->fd, pack, &shape, &state, PAGES, fill_link, &pair);
	memcpy(l->root, shape.root, sizeof(l->root));
}

static inline void build(struct link *l, const struct link *base, bool pack)
{
	struct snapshot_shape shape = made_shape();

	if (base)
		name_base(&shape, base);
	write_link(l, base, pack, shape);
}

static inline int open_link(const struct link *l, struct snapshot *s)
{
	return snapshot_open_in(dir, fcntl(l->fd, F_DUPFD_CLOEXEC, 500), s, why); /* no name of before */
}

#endif
