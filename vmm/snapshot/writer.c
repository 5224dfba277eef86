/* SPDX-License-Identifier: MIT */
#include "snapshot/writer.h"

#include <errno.h>
#include <gnomon/addr.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void failed(struct snapshot_writer *w, int error)
{
	if (!w->error)
		w->error = -error;
}

static void write_at(struct snapshot_writer *w, const uint8_t *bytes, size_t size, uint64_t at)
{
	while (size && !w->error) {
		const ssize_t n = pwrite(w->fd, bytes, size, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			failed(w, n ? errno : EIO);
			return;
		}
		bytes += n;
		at += (uint64_t)n;
		size -= (size_t)n;
	}
}

/* Room for one more of `size` bytes. NULL, and an error: no memory. */
static void *grow(struct snapshot_writer *w, void *list, uint64_t nr, uint64_t *room, size_t size)
{
	void *larger;

	if (nr < *room)
		return list;
	larger = realloc(list, (*room * 2 + 64) * size);
	if (larger)
		*room = *room * 2 + 64;
	else
		failed(w, ENOMEM);
	return larger;
}

static void end_block(struct snapshot_writer *w)
{
	uint8_t(*leaf)[SNAPSHOT_HASH] = grow(w, w->leaf, w->nr_leaves, &w->leaf_room, sizeof(*leaf));

	if (!leaf || !w->filled)
		return;
	w->leaf = leaf;
	snapshot_leaf(w->block, w->filled, w->leaf[w->nr_leaves++]);
	write_at(w, w->block, w->filled, w->at);
	w->at += w->filled;
	w->filled = 0;
}

/* Behind what is there. */
static void append(struct snapshot_writer *w, const uint8_t *bytes, size_t size)
{
	while (size && !w->error) {
		const size_t room = SNAPSHOT_BLOCK - w->filled, n = size < room ? size : room;

		memcpy(w->block + w->filled, bytes, n);
		w->filled += n;
		bytes += n;
		size -= n;
		if (w->filled == SNAPSHOT_BLOCK)
			end_block(w);
	}
}

int snapshot_writer_begin(struct snapshot_writer *w, int fd)
{
	*w = (struct snapshot_writer){.fd = fd, .at = SNAPSHOT_HEADER, .block = malloc(SNAPSHOT_BLOCK)};
	if (sodium_init() < 0 || !w->block) {
		free(w->block);
		w->block = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* Makes the last run longer by this page, or begins another. */
static void note(struct snapshot_writer *w, uint64_t gfn, enum snapshot_kind kind, uint64_t at)
{
	struct snapshot_run *last = w->nr_runs ? &w->run[w->nr_runs - 1] : NULL, *run;
	const uint64_t size = kind == SNAPSHOT_STORED ? PAGE_SIZE : 0;

	if (last && last->kind == kind && last->gfn + last->pages == gfn && last->pages < UINT32_MAX) {
		last->pages++;
		last->size += size;
		return;
	}
	run = grow(w, w->run, w->nr_runs, &w->run_room, sizeof(*run));
	if (!run)
		return;
	w->run = run;
	w->run[w->nr_runs++] = (struct snapshot_run){.gfn = gfn, .pages = 1, .kind = kind, .at = at, .size = size};
}

static bool is_zero(const void *page)
{
	const uint64_t *word = page;

	/* Eight at a time, so that the compiler takes them together. */
	for (size_t i = 0; i < PAGE_SIZE / sizeof(*word); i += 8)
		if (word[i] | word[i + 1] | word[i + 2] | word[i + 3] | word[i + 4] | word[i + 5] | word[i + 6] |
		    word[i + 7])
			return false;
	return true;
}

void snapshot_writer_page(struct snapshot_writer *w, uint64_t gfn, const void *page)
{
	if (is_zero(page)) {
		w->zero++;
		return;
	}
	note(w, gfn, SNAPSHOT_STORED, snapshot_writer_bytes(w));
	append(w, page, PAGE_SIZE);
	w->stored++;
}

void snapshot_writer_absent(struct snapshot_writer *w, uint64_t gfn)
{
	note(w, gfn, SNAPSHOT_ABSENT, 0);
	w->absent++;
}

static void write_header(struct snapshot_writer *w, struct snapshot_shape *shape)
{
	uint8_t header[SNAPSHOT_HEADER];

	write_at(w, w->leaf[0], w->nr_leaves * SNAPSHOT_HASH, w->at);
	shape->file_size = w->at + w->nr_leaves * SNAPSHOT_HASH;
	snapshot_root(w->leaf, w->nr_leaves, shape->root);
	snapshot_shape_write(shape, header);
	write_at(w, header, sizeof(header), 0);
}

int snapshot_writer_end(struct snapshot_writer *w, struct snapshot_shape *shape, const uint8_t *state,
                        size_t state_size)
{
	uint8_t bytes[SNAPSHOT_RUN];
	int r;

	shape->state_at = snapshot_writer_bytes(w);
	shape->state_size = state_size;
	append(w, state, state_size);
	shape->index_at = snapshot_writer_bytes(w);
	shape->nr_runs = w->nr_runs;
	for (uint64_t i = 0; i < w->nr_runs; i++) {
		snapshot_run_write(&w->run[i], bytes);
		append(w, bytes, sizeof(bytes));
	}
	end_block(w);
	shape->leaves_at = w->at;
	shape->stored_pages = w->stored;
	shape->zero_pages = w->zero;
	shape->absent_pages = w->absent;
	if (!w->error)
		write_header(w, shape);
	r = w->error;
	snapshot_writer_abandon(w);
	return r;
}

void snapshot_writer_abandon(struct snapshot_writer *w)
{
	free(w->block);
	free(w->leaf);
	free(w->run);
	w->block = NULL;
	w->leaf = NULL;
	w->run = NULL;
}
