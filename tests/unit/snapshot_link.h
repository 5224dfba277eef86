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

/* Writes the pages that differ from `base`; all of them if that is NULL. `shape` may say more. */
static inline void write_link(struct link *l, const struct link *base, bool pack, struct snapshot_shape shape)
{
	struct snapshot_state state = made_state(1);
	struct snapshot_writer w;
	uint8_t page[PAGE_SIZE], *bytes;
	size_t size;

	l->fd = memfd_create("snapshot", MFD_CLOEXEC);
	cr_assert_eq(snapshot_state_write(&state, &bytes, &size), 0);
	cr_assert_eq(snapshot_writer_begin(&w, l->fd, pack), 0);
	w.names_zero = *shape.base;
	for (uint64_t gfn = 0; gfn < PAGES; gfn++) {
		content(l->page[gfn], page);
		if (base && base->page[gfn] == l->page[gfn])
			continue;
		if (l->page[gfn] == ABSENT)
			snapshot_writer_absent(&w, gfn);
		else
			snapshot_writer_page(&w, gfn, page);
	}
	cr_assert_eq(snapshot_writer_end(&w, &shape, bytes, size), 0);
	memcpy(l->root, shape.root, sizeof(l->root));
	free(bytes);
	snapshot_state_free(&state);
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
