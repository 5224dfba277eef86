/* SPDX-License-Identifier: MIT */
#include "snapshot/chain.h"

#include <errno.h>
#include <fcntl.h>
#include <gnomon/addr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/outfile_place.h"
#include "base/plain.h"

/* --- the files --- */

/* A descriptor, or -errno with a clause. */
static int open_base(int dir, const char *name, char *ret_why)
{
	const int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	return fd < 0 ? snapshot_refuse(errno, ret_why, "%s", strerror(errno)) : fd;
}

#define NOT_MEANT "it is another snapshot than the one that is meant"

/* Whether it is the one that is meant; `clause` says that it is not. */
static int check_base(const struct snapshot_shape *base, const uint8_t root[SNAPSHOT_HASH], const char *clause,
                      char *ret_why)
{
	return memcmp(base->root, root, SNAPSHOT_HASH) == 0 ? 0 : snapshot_refuse(EBADMSG, ret_why, "%s", clause);
}

int snapshot_of_base(const char *name, int r, char *ret_why)
{
	char why[SNAPSHOT_WHY_MAX];

	snprintf(why, sizeof(why), "%s", ret_why);
	snprintf(ret_why, SNAPSHOT_WHY_MAX, "its base %.60s: %.110s", name, why);
	plain_string(ret_why);
	return r;
}

static int open_one(int dir, const struct snapshot_file *above, struct snapshot_block *b, struct snapshot_file *ret,
                    char *ret_why)
{
	const int fd = open_base(dir, above->shape.base, ret_why);
	int r = fd < 0 ? fd : snapshot_file_open(fd, b, ret, ret_why);

	if (r < 0)
		return snapshot_of_base(above->shape.base, r, ret_why);
	r = check_base(&ret->shape, above->shape.base_root, NOT_MEANT, ret_why);
	if (r == 0 && ret->shape.memory != above->shape.memory)
		r = snapshot_refuse(EBADMSG, ret_why, "it is of a machine with %llu MiB, and not %llu",
		                    (unsigned long long)(ret->shape.memory >> 20),
		                    (unsigned long long)(above->shape.memory >> 20));
	if (r == 0)
		return 0;
	snapshot_file_close(ret);
	return snapshot_of_base(above->shape.base, r, ret_why);
}

int snapshot_chain_open(int dir, struct snapshot_file *file, struct snapshot_block *b, unsigned *ret_nr, char *ret_why)
{
	int r = 0;

	for (*ret_nr = 1; r == 0 && *file[*ret_nr - 1].shape.base;) {
		if (*ret_nr == SNAPSHOT_CHAIN_MAX)
			return snapshot_refuse(EBADMSG, ret_why, "it builds on more than %d files",
			                       SNAPSHOT_CHAIN_MAX - 1);
		r = open_one(dir, &file[*ret_nr - 1], b, &file[*ret_nr], ret_why);
		*ret_nr += r == 0;
	}
	return r;
}

static int check_one(int dir, const char *name, const uint8_t *root, const char *clause, const struct stat *target,
                     struct snapshot_shape *ret_shape, char *ret_why)
{
	const int fd = open_base(dir, name, ret_why);
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	r = snapshot_file_header(fd, ret_shape, ret_why);
	if (r == 0)
		r = check_base(ret_shape, root, clause, ret_why);
	if (r == 0 && target && fstat(fd, &st) == 0 && outfile_is_one(&st, target))
		r = snapshot_refuse(EEXIST, ret_why, "it would be replaced by a file that builds on it");
	close(fd);
	return r;
}

int snapshot_chain_check(int dir, const char *name, const uint8_t root[SNAPSHOT_HASH], const struct stat *target,
                         char *ret_why)
{
	struct snapshot_shape shape, below;
	int r = check_one(dir, name, root, "it is not the last that was saved with \"track\"", target, &shape, ret_why);

	for (unsigned nr = 1; r == 0; nr++) {
		if (nr == SNAPSHOT_CHAIN_MAX)
			return snapshot_refuse(EMLINK, ret_why, "it builds on %d files, and no more can be built on it",
			                       SNAPSHOT_CHAIN_MAX - 1);
		if (!*shape.base)
			return 0;
		r = check_one(dir, shape.base, shape.base_root, NOT_MEANT, target, &below, ret_why);
		if (r < 0)
			return snapshot_of_base(shape.base, r, ret_why);
		shape = below;
	}
	return r;
}

/* --- what they have of memory --- */

struct extents {
	struct snapshot_extent *list;
	uint64_t nr;
};

static void emit(struct extents *to, struct snapshot_extent e)
{
	if (e.kind != SNAPSHOT_ZERO)
		to->list[to->nr++] = e;
}

static struct snapshot_extent head_of(struct snapshot_extent e, uint64_t pages)
{
	e.pages = (uint32_t)pages;
	if (e.kind == SNAPSHOT_STORED)
		e.size = pages * PAGE_SIZE;
	return e;
}

static struct snapshot_extent without_head(struct snapshot_extent e, uint64_t pages)
{
	e.gfn += pages;
	e.pages -= (uint32_t)pages;
	if (e.kind == SNAPSHOT_STORED) {
		e.at += pages * PAGE_SIZE;
		e.size -= pages * PAGE_SIZE;
	}
	if (e.kind == SNAPSHOT_PACKED)
		e.skip += (uint32_t)pages;
	return e;
}

/* What lies below `gfn` goes to `to`, or nowhere. */
static void pass(struct snapshot_extent **at, const struct snapshot_extent *end, uint64_t gfn, struct extents *to)
{
	while (*at < end && (*at)->gfn < gfn) {
		struct snapshot_extent *e = *at;

		if (e->gfn + e->pages > gfn) {
			const uint64_t pages = gfn - e->gfn;

			if (to)
				emit(to, head_of(*e, pages));
			*e = without_head(*e, pages);
			return;
		}
		if (to)
			emit(to, *e);
		(*at)++;
	}
}

/* Lays the runs of file `nr` over `under`, which it ends. -ENOMEM. */
static int lay_over(struct extents *under, const struct snapshot_file *f, unsigned nr)
{
	const uint64_t runs = f->shape.nr_runs;
	/* A run adds itself, and cuts one of those below in two. */
	struct extents out = {.list = calloc(under->nr + 2 * runs + 1, sizeof(*out.list))};
	struct snapshot_extent *at = under->list;
	const struct snapshot_extent *const end = at ? at + under->nr : NULL;

	if (!out.list)
		return -ENOMEM;
	for (uint64_t i = 0; i < runs; i++) {
		const struct snapshot_run *run = &f->run[i];

		pass(&at, end, run->gfn, &out);
		pass(&at, end, run->gfn + run->pages, NULL);
		emit(&out, (struct snapshot_extent){.gfn = run->gfn,
		                                    .pages = run->pages,
		                                    .kind = run->kind,
		                                    .at = run->at,
		                                    .size = run->size,
		                                    .file = nr,
		                                    .frame = run->pages});
	}
	pass(&at, end, UINT64_MAX, &out);
	free(under->list);
	*under = out;
	return 0;
}

int snapshot_chain_merge(const struct snapshot_file *file, unsigned nr, struct snapshot_extent **ret_extent,
                         uint64_t *ret_nr, char *ret_why)
{
	struct extents all = {0};

	while (nr-- > 0) {
		if (lay_over(&all, &file[nr], nr) == 0)
			continue;
		free(all.list);
		return snapshot_refuse(ENOMEM, ret_why, "the host has no memory for it");
	}
	*ret_extent = all.list;
	*ret_nr = all.nr;
	return 0;
}
