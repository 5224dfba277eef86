/* SPDX-License-Identifier: MIT */
#include "snapshot/file.h"

#include <errno.h>
#include <gnomon/addr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/pages.h"

static int read_at(int fd, void *to, uint64_t size, uint64_t at, char *ret_why)
{
	const int r = pread_all(fd, to, size, at);

	if (r == -ENODATA)
		return snapshot_refuse(EBADMSG, ret_why, "it has become shorter");
	return r < 0 ? snapshot_refuse(-r, ret_why, "it cannot be read (%s)", strerror(-r)) : 0;
}

/* --- blocks --- */

int snapshot_block_init(struct snapshot_block *b, char *ret_why)
{
	*b = (struct snapshot_block){.bytes = malloc(SNAPSHOT_BLOCK)};
	return b->bytes ? 0 : snapshot_refuse(ENOMEM, ret_why, "the host has no memory for it");
}

void snapshot_block_free(struct snapshot_block *b)
{
	free(b->bytes);
	*b = (struct snapshot_block){0};
}

static const char *what_lies_at(const struct snapshot_shape *s, uint64_t from, uint64_t end)
{
	if (end <= s->state_at)
		return "guest memory";
	if (from >= s->index_at)
		return "the index";
	return from >= s->state_at && end <= s->index_at ? "the state" : "memory, state or index";
}

int snapshot_file_block(const struct snapshot_file *f, struct snapshot_block *b, uint64_t nr, char *ret_why)
{
	const uint64_t at = SNAPSHOT_HEADER + nr * SNAPSHOT_BLOCK, left = f->shape.leaves_at - at;
	const uint64_t size = left < SNAPSHOT_BLOCK ? left : SNAPSHOT_BLOCK;
	uint8_t hash[SNAPSHOT_HASH];
	int r;

	BUG_ON(nr >= f->nr_leaves || !f->leaf);
	if (f == b->file && nr == b->nr)
		return 0;
	b->file = NULL;
	r = read_at(f->fd, b->bytes, size, at, ret_why);
	if (r < 0)
		return r;
	snapshot_leaf(b->bytes, size, hash);
	if (memcmp(hash, f->leaf[nr], sizeof(hash)) != 0)
		return snapshot_refuse(EBADMSG, ret_why, "its block %llu is damaged (bytes %llu to %llu: %s)",
		                       (unsigned long long)nr, (unsigned long long)at,
		                       (unsigned long long)(at + size - 1), what_lies_at(&f->shape, at, at + size));
	b->file = f;
	b->nr = nr;
	return 0;
}

int snapshot_file_get(const struct snapshot_file *f, struct snapshot_block *b, uint64_t at, uint64_t size, uint8_t *to,
                      char *ret_why)
{
	while (size) {
		const uint64_t off = (at - SNAPSHOT_HEADER) % SNAPSHOT_BLOCK, room = SNAPSHOT_BLOCK - off;
		const uint64_t n = size < room ? size : room;
		const int r = snapshot_file_block(f, b, (at - SNAPSHOT_HEADER) / SNAPSHOT_BLOCK, ret_why);

		if (r < 0)
			return r;
		memcpy(to, b->bytes + off, n);
		to += n;
		at += n;
		size -= n;
	}
	return 0;
}

/* --- opening --- */

int snapshot_file_header(int fd, struct snapshot_shape *ret_shape, char *ret_why)
{
	uint8_t header[SNAPSHOT_HEADER];
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return snapshot_refuse(errno, ret_why, "it cannot be read (%s)", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return snapshot_refuse(EINVAL, ret_why, "it is no regular file");
	if (st.st_size < SNAPSHOT_HEADER)
		return snapshot_refuse(EBADMSG, ret_why, "it is no snapshot, or was cut off");
	r = read_at(fd, header, sizeof(header), 0, ret_why);
	return r < 0 ? r : snapshot_shape_read(header, (uint64_t)st.st_size, ret_shape, ret_why);
}

static int read_leaves(struct snapshot_file *f, char *ret_why)
{
	const uint64_t size = snapshot_nr_leaves(f->shape.leaves_at) * SNAPSHOT_HASH;
	uint8_t(*copy)[SNAPSHOT_HASH] = malloc(size ? size : 1), root[SNAPSHOT_HASH];
	int r;

	f->nr_leaves = size / SNAPSHOT_HASH;
	f->leaf = malloc(size ? size : 1);
	if (!copy || !f->leaf) {
		free(copy);
		return snapshot_refuse(ENOMEM, ret_why, "the host has no memory for it");
	}
	r = read_at(f->fd, f->leaf, size, f->shape.leaves_at, ret_why);
	if (r == 0) {
		memcpy(copy, f->leaf, size);
		snapshot_root(&f->shape, copy, f->nr_leaves, root);
		if (memcmp(root, f->shape.root, sizeof(root)) != 0)
			r = snapshot_refuse(EBADMSG, ret_why, "its table of hashes is damaged");
	}
	free(copy);
	return r;
}

static int read_index(struct snapshot_file *f, struct snapshot_block *b, char *ret_why)
{
	uint8_t bytes[SNAPSHOT_RUN];
	int r = 0;

	f->run = calloc(f->shape.nr_runs + 1, sizeof(*f->run));
	if (!f->run)
		return snapshot_refuse(ENOMEM, ret_why, "the host has no memory for it");
	for (uint64_t i = 0; r == 0 && i < f->shape.nr_runs; i++) {
		r = snapshot_file_get(f, b, f->shape.index_at + i * SNAPSHOT_RUN, SNAPSHOT_RUN, bytes, ret_why);
		if (r == 0 && !snapshot_run_read(bytes, &f->shape, i ? &f->run[i - 1] : NULL, &f->run[i]))
			r = snapshot_refuse(EBADMSG, ret_why, "entry %llu of its index names pages that cannot be",
			                    (unsigned long long)i);
	}
	return r;
}

int snapshot_file_open(int fd, struct snapshot_block *b, struct snapshot_file *ret, char *ret_why)
{
	int r;

	*ret = (struct snapshot_file){.fd = fd};
	r = snapshot_file_header(fd, &ret->shape, ret_why);
	if (r == 0)
		r = read_leaves(ret, ret_why);
	if (r == 0)
		r = read_index(ret, b, ret_why);
	if (r < 0)
		snapshot_file_close(ret);
	b->file = NULL; /* whoever opens may move the file */
	return r;
}

void snapshot_file_close(struct snapshot_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	free(f->run);
	free(f->leaf);
	*f = (struct snapshot_file){.fd = -1};
}
