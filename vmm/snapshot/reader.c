/* SPDX-License-Identifier: MIT */
#include "snapshot/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <gnomon/addr.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

/* --- pages --- */

/* Into s->chunk. */
static int unpack(struct snapshot *s, const struct snapshot_extent *run, char *ret_why)
{
	uint8_t *packed = s->chunk + SNAPSHOT_CHUNK * PAGE_SIZE;
	const size_t size = run->frame * PAGE_SIZE;
	const struct snapshot_extent *of = &s->chunk_of;
	int r;

	if (of->pages && of->file == run->file && of->at == run->at && of->frame == run->frame)
		return 0;
	s->chunk_of.pages = 0;
	r = snapshot_file_get(&s->file[run->file], &s->block, run->at, run->size, packed, ret_why);
	if (r < 0)
		return r;
	/* Whatever stands there, no more than `size` bytes come out. */
	if (ZSTD_decompress(s->chunk, size, packed, run->size) != size)
		return snapshot_refuse(EBADMSG, ret_why, "the pages from 0x%llx on cannot be unpacked",
		                       (unsigned long long)(run->gfn * PAGE_SIZE));
	s->chunk_of = *run;
	return 0;
}

int snapshot_page(struct snapshot *s, const struct snapshot_extent *run, uint32_t n, void *ret_page, char *ret_why)
{
	int r;

	BUG_ON(run->kind == SNAPSHOT_ABSENT || n >= run->pages);
	if (run->kind == SNAPSHOT_STORED) {
		r = snapshot_file_get(&s->file[run->file], &s->block, run->at + n * PAGE_SIZE, PAGE_SIZE, ret_page,
		                      ret_why);
	} else {
		r = unpack(s, run, ret_why);
		if (r == 0)
			memcpy(ret_page, s->chunk + (run->skip + n) * PAGE_SIZE, PAGE_SIZE);
	}
	return r < 0 && run->file ? snapshot_of_base(s->file[run->file - 1].shape.base, r, ret_why) : r;
}

const struct snapshot_extent *snapshot_run_from(const struct snapshot *s, uint64_t gfn)
{
	uint64_t first = 0, end = s->nr_runs;

	while (first < end) {
		const uint64_t mid = first + (end - first) / 2;

		if (s->run[mid].gfn + s->run[mid].pages <= gfn)
			first = mid + 1;
		else
			end = mid;
	}
	return first < s->nr_runs ? &s->run[first] : NULL;
}

/* --- opening --- */

static int read_state(struct snapshot *s, char *ret_why)
{
	uint8_t *bytes = malloc(s->shape.state_size + 1);
	int r;

	if (!bytes)
		return snapshot_refuse(ENOMEM, ret_why, "the host has no memory for it");
	r = snapshot_file_get(s->file, &s->block, s->shape.state_at, s->shape.state_size, bytes, ret_why);
	if (r == 0)
		r = snapshot_state_read(bytes, s->shape.state_size, &s->shape, &s->state, ret_why);
	free(bytes);
	return r;
}

/* The directory in which an open file lies: O_PATH. -errno with a clause. */
static int directory_of(int fd, char *ret_why)
{
	char self[32], place[PATH_MAX], *slash;
	ssize_t n;
	int dir;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	n = readlink(self, place, sizeof(place) - 1);
	if (n < 0)
		return snapshot_refuse(errno, ret_why, "it has a base, and where it lies is not known (%s)",
		                       strerror(errno));
	place[n] = 0;
	slash = strrchr(place, '/');
	if (slash)
		slash[slash == place] = 0;
	dir = open(slash ? place : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? snapshot_refuse(errno, ret_why, "it has a base, and its directory cannot be opened (%s)",
	                                 strerror(errno))
	               : dir;
}

static int open_chain(struct snapshot *s, int dir, char *ret_why)
{
	int own = -1, r;

	if (dir < 0 && *s->shape.base) {
		own = directory_of(s->file->fd, ret_why);
		if (own < 0)
			return own;
		dir = own;
	}
	r = snapshot_chain_open(dir, s->file, &s->block, &s->nr_files, ret_why);
	if (own >= 0)
		close(own);
	return r < 0 ? r : snapshot_chain_merge(s->file, s->nr_files, &s->run, &s->nr_runs, ret_why);
}

/* With room for the files. */
static int open_first(struct snapshot *s, int dir, int fd, char *ret_why)
{
	int r = snapshot_file_open(fd, &s->block, s->file, ret_why);

	if (r < 0)
		return r;
	s->nr_files = 1;
	s->shape = s->file->shape;
	r = read_state(s, ret_why);
	if (r == 0)
		r = open_chain(s, dir, ret_why);
	for (uint64_t i = 0; r == 0 && i < s->nr_runs; i++)
		*(s->run[i].kind == SNAPSHOT_ABSENT ? &s->absent_pages : &s->stored_pages) += s->run[i].pages;
	return r;
}

int snapshot_open_in(int dir, int fd, struct snapshot *ret, char *ret_why)
{
	int r;

	*ret = (struct snapshot){0};
	r = snapshot_block_init(&ret->block, ret_why);
	ret->file = calloc(SNAPSHOT_CHAIN_MAX, sizeof(*ret->file));
	ret->chunk = malloc(2 * SNAPSHOT_CHUNK * PAGE_SIZE);
	if (r == 0 && (!ret->file || !ret->chunk))
		r = snapshot_refuse(ENOMEM, ret_why, "the host has no memory for it");
	if (r == 0 && sodium_init() < 0)
		r = snapshot_refuse(EIO, ret_why, "libsodium does not start");
	if (r < 0)
		close(fd);
	else
		r = open_first(ret, dir, fd, ret_why);
	if (r < 0)
		snapshot_close(ret);
	return r;
}

int snapshot_open_fd(int fd, struct snapshot *ret, char *ret_why)
{
	return snapshot_open_in(-1, fd, ret, ret_why);
}

int snapshot_open(const char *path, struct snapshot *ret, char *ret_why)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return snapshot_refuse(errno, ret_why, "%s", strerror(errno));
	return snapshot_open_fd(fd, ret, ret_why);
}

void snapshot_close(struct snapshot *s)
{
	while (s->nr_files)
		snapshot_file_close(&s->file[--s->nr_files]);
	free(s->file);
	free(s->run);
	free(s->chunk);
	snapshot_block_free(&s->block);
	snapshot_state_free(&s->state);
	*s = (struct snapshot){0};
}
