/* SPDX-License-Identifier: MIT */
#include "snapshot/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <gnomon/addr.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

static int read_at(int fd, void *to, uint64_t size, uint64_t at, char *ret_why)
{
	uint8_t *p = to;

	while (size) {
		const ssize_t n = pread(fd, p, size, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return snapshot_refuse(errno, ret_why, "it cannot be read (%s)", strerror(errno));
		if (n == 0)
			return snapshot_refuse(EBADMSG, ret_why, "it has become shorter");
		p += n;
		at += (uint64_t)n;
		size -= (uint64_t)n;
	}
	return 0;
}

/* --- blocks --- */

static const char *what_lies_at(const struct snapshot_shape *s, uint64_t from, uint64_t end)
{
	if (end <= s->state_at)
		return "guest memory";
	if (from >= s->index_at)
		return "the index";
	return from >= s->state_at && end <= s->index_at ? "the state" : "memory, state or index";
}

/* Reads block `nr` into s->block. */
static int load_block(struct snapshot *s, uint64_t nr, char *ret_why)
{
	const uint64_t at = SNAPSHOT_HEADER + nr * SNAPSHOT_BLOCK, left = s->shape.leaves_at - at;
	const uint64_t size = left < SNAPSHOT_BLOCK ? left : SNAPSHOT_BLOCK;
	uint8_t hash[SNAPSHOT_HASH];
	int r;

	BUG_ON(nr >= s->nr_leaves || !s->leaf);
	if (nr == s->block_nr)
		return 0;
	s->block_nr = UINT64_MAX;
	r = read_at(s->fd, s->block, size, at, ret_why);
	if (r < 0)
		return r;
	snapshot_leaf(s->block, size, hash);
	if (memcmp(hash, s->leaf[nr], sizeof(hash)) != 0)
		return snapshot_refuse(EBADMSG, ret_why, "its block %llu is damaged (bytes %llu to %llu: %s)",
		                       (unsigned long long)nr, (unsigned long long)at,
		                       (unsigned long long)(at + size - 1), what_lies_at(&s->shape, at, at + size));
	s->block_nr = nr;
	return 0;
}

int snapshot_check_block(struct snapshot *s, uint64_t nr, char *ret_why)
{
	return load_block(s, nr, ret_why);
}

/* Bytes of the checked part, wherever its blocks end. */
static int get(struct snapshot *s, uint64_t at, uint64_t size, uint8_t *to, char *ret_why)
{
	while (size) {
		const uint64_t off = (at - SNAPSHOT_HEADER) % SNAPSHOT_BLOCK, room = SNAPSHOT_BLOCK - off;
		const uint64_t n = size < room ? size : room;
		const int r = load_block(s, (at - SNAPSHOT_HEADER) / SNAPSHOT_BLOCK, ret_why);

		if (r < 0)
			return r;
		memcpy(to, s->block + off, n);
		to += n;
		at += n;
		size -= n;
	}
	return 0;
}

/* Into s->chunk. */
static int unpack(struct snapshot *s, const struct snapshot_run *run, char *ret_why)
{
	uint8_t *packed = s->chunk + SNAPSHOT_CHUNK * PAGE_SIZE;
	const size_t size = run->pages * PAGE_SIZE;
	int r;

	if (s->chunk_at == run->at && s->chunk_pages == run->pages)
		return 0;
	s->chunk_at = 0;
	r = get(s, run->at, run->size, packed, ret_why);
	if (r < 0)
		return r;
	/* Whatever stands there, no more than `size` bytes come out. */
	if (ZSTD_decompress(s->chunk, size, packed, run->size) != size)
		return snapshot_refuse(EBADMSG, ret_why, "the pages from 0x%llx on cannot be unpacked",
		                       (unsigned long long)(run->gfn * PAGE_SIZE));
	s->chunk_at = run->at;
	s->chunk_pages = run->pages;
	return 0;
}

int snapshot_page(struct snapshot *s, const struct snapshot_run *run, uint32_t n, void *ret_page, char *ret_why)
{
	BUG_ON(run->kind == SNAPSHOT_ABSENT || n >= run->pages);
	if (run->kind == SNAPSHOT_PACKED) {
		const int r = unpack(s, run, ret_why);

		if (r == 0)
			memcpy(ret_page, s->chunk + n * PAGE_SIZE, PAGE_SIZE);
		return r;
	}
	return get(s, run->at + n * PAGE_SIZE, PAGE_SIZE, ret_page, ret_why);
}

const struct snapshot_run *snapshot_run_from(const struct snapshot *s, uint64_t gfn)
{
	uint64_t first = 0, end = s->shape.nr_runs;

	while (first < end) {
		const uint64_t mid = first + (end - first) / 2;

		if (s->run[mid].gfn + s->run[mid].pages <= gfn)
			first = mid + 1;
		else
			end = mid;
	}
	return first < s->shape.nr_runs ? &s->run[first] : NULL;
}

/* --- opening --- */

static int read_header(struct snapshot *s, char *ret_why)
{
	uint8_t header[SNAPSHOT_HEADER];
	struct stat st;
	int r;

	if (fstat(s->fd, &st) < 0)
		return snapshot_refuse(errno, ret_why, "it cannot be read (%s)", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return snapshot_refuse(EINVAL, ret_why, "it is no regular file");
	if (st.st_size < SNAPSHOT_HEADER)
		return snapshot_refuse(EBADMSG, ret_why, "it is no snapshot, or was cut off");
	r = read_at(s->fd, header, sizeof(header), 0, ret_why);
	return r < 0 ? r : snapshot_shape_read(header, (uint64_t)st.st_size, &s->shape, ret_why);
}

static int read_leaves(struct snapshot *s, char *ret_why)
{
	const uint64_t size = snapshot_nr_leaves(s->shape.leaves_at) * SNAPSHOT_HASH;
	uint8_t(*copy)[SNAPSHOT_HASH] = malloc(size ? size : 1), root[SNAPSHOT_HASH];
	int r;

	s->nr_leaves = size / SNAPSHOT_HASH;
	s->leaf = malloc(size ? size : 1);
	s->block = malloc(SNAPSHOT_BLOCK);
	s->chunk = malloc(2 * SNAPSHOT_CHUNK * PAGE_SIZE);
	if (!copy || !s->leaf || !s->block || !s->chunk) {
		free(copy);
		return snapshot_refuse(ENOMEM, ret_why, "the host has no memory for it");
	}
	r = read_at(s->fd, s->leaf, size, s->shape.leaves_at, ret_why);
	if (r == 0) {
		memcpy(copy, s->leaf, size);
		snapshot_root(copy, s->nr_leaves, root);
		if (memcmp(root, s->shape.root, sizeof(root)) != 0)
			r = snapshot_refuse(EBADMSG, ret_why, "its table of hashes is damaged");
	}
	free(copy);
	return r;
}

static int read_index(struct snapshot *s, char *ret_why)
{
	uint8_t bytes[SNAPSHOT_RUN];
	int r = 0;

	s->run = calloc(s->shape.nr_runs + 1, sizeof(*s->run));
	if (!s->run)
		return snapshot_refuse(ENOMEM, ret_why, "the host has no memory for it");
	for (uint64_t i = 0; r == 0 && i < s->shape.nr_runs; i++) {
		r = get(s, s->shape.index_at + i * SNAPSHOT_RUN, SNAPSHOT_RUN, bytes, ret_why);
		if (r == 0 && !snapshot_run_read(bytes, &s->shape, i ? &s->run[i - 1] : NULL, &s->run[i]))
			r = snapshot_refuse(EBADMSG, ret_why, "entry %llu of its index names pages that cannot be",
			                    (unsigned long long)i);
	}
	return r;
}

static int read_state(struct snapshot *s, char *ret_why)
{
	uint8_t *bytes = malloc(s->shape.state_size + 1);
	int r;

	if (!bytes)
		return snapshot_refuse(ENOMEM, ret_why, "the host has no memory for it");
	r = get(s, s->shape.state_at, s->shape.state_size, bytes, ret_why);
	if (r == 0)
		r = snapshot_state_read(bytes, s->shape.state_size, &s->shape, &s->state, ret_why);
	free(bytes);
	return r;
}

int snapshot_open_fd(int fd, struct snapshot *ret, char *ret_why)
{
	int r;

	*ret = (struct snapshot){.fd = fd, .block_nr = UINT64_MAX};
	if (sodium_init() < 0)
		r = snapshot_refuse(EIO, ret_why, "libsodium does not start");
	else
		r = read_header(ret, ret_why);
	if (r == 0)
		r = read_leaves(ret, ret_why);
	if (r == 0)
		r = read_state(ret, ret_why);
	if (r == 0)
		r = read_index(ret, ret_why);
	if (r < 0)
		snapshot_close(ret);
	return r;
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
	if (s->fd >= 0)
		close(s->fd);
	free(s->run);
	free(s->leaf);
	free(s->block);
	free(s->chunk);
	snapshot_state_free(&s->state);
	*s = (struct snapshot){.fd = -1};
}
