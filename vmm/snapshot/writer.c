/* SPDX-License-Identifier: MIT */
#include "snapshot/writer.h"

#include <errno.h>
#include <gnomon/addr.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "base/pages.h"

#define PACK_LEVEL 1 /* the fastest: a disk that is slower is rare */

struct snapshot_packer {
	ZSTD_CCtx *zstd;
	uint64_t gfn;
	uint32_t pages; /* in `bytes` */
	uint8_t bytes[SNAPSHOT_CHUNK * PAGE_SIZE], packed[SNAPSHOT_CHUNK * PAGE_SIZE];
	struct snapshot_known known; /* frames, by what is packed in them: the number of the run, and 1 */
	uint8_t unpacked[SNAPSHOT_CHUNK * PAGE_SIZE];
};

static void failed(struct snapshot_writer *w, int error)
{
	if (!w->error)
		w->error = -error;
}

static void write_at(struct snapshot_writer *w, const uint8_t *bytes, size_t size, uint64_t at)
{
	const int r = w->error ? 0 : pwrite_all(w->fd, bytes, size, at);

	if (r < 0)
		failed(w, -r);
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
	uint8_t(*leaf)[SNAPSHOT_HASH];

	if (!w->filled)
		return;
	leaf = grow(w, w->leaf, w->nr_leaves, &w->leaf_room, sizeof(*leaf));
	if (!leaf)
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

int snapshot_writer_begin(struct snapshot_writer *w, int fd, bool pack)
{
	*w = (struct snapshot_writer){.fd = fd, .at = SNAPSHOT_HEADER, .block = malloc(SNAPSHOT_BLOCK)};
	if (pack)
		w->packer = calloc(1, sizeof(*w->packer));
	if (w->packer)
		w->packer->zstd = ZSTD_createCCtx();
	if (sodium_init() >= 0 && w->block && (!pack || (w->packer && w->packer->zstd)))
		return 0;
	snapshot_writer_abandon(w);
	return -ENOMEM;
}

static void begin_run(struct snapshot_writer *w, struct snapshot_run run)
{
	struct snapshot_run *list = grow(w, w->run, w->nr_runs, &w->run_room, sizeof(*list));

	if (!list)
		return;
	w->run = list;
	w->run[w->nr_runs++] = run;
}

/* Reads what was appended. False: the file cannot be read. */
static bool read_back(const struct snapshot_writer *w, uint64_t at, size_t size, uint8_t *ret_bytes)
{
	const size_t in_file = at >= w->at ? 0 : w->at - at < size ? w->at - at : size;

	if (pread_all(w->fd, ret_bytes, in_file, at) < 0)
		return false;
	if (in_file < size)
		memcpy(ret_bytes + in_file, w->block + (at + in_file - w->at), size - in_file);
	return true;
}

/* Makes the last run longer by this page, or begins another. */
static void note(struct snapshot_writer *w, uint64_t gfn, enum snapshot_kind kind, uint64_t at)
{
	struct snapshot_run *last = w->nr_runs ? &w->run[w->nr_runs - 1] : NULL;
	const uint64_t size = kind == SNAPSHOT_STORED ? PAGE_SIZE : 0;

	if (last && last->kind == kind && last->gfn + last->pages == gfn && last->pages < UINT32_MAX &&
	    (!size || last->at + last->size == at)) {
		last->pages++;
		last->size += size;
		return;
	}
	begin_run(w, (struct snapshot_run){.gfn = gfn, .pages = 1, .kind = kind, .at = at, .size = size});
}

/* What is not packed lies at a multiple of its size, so that it can be mapped. */
static void align(struct snapshot_writer *w)
{
	static const uint8_t zero[PAGE_SIZE];

	append(w, zero, -snapshot_writer_bytes(w) & (PAGE_SIZE - 1));
}

/* Where the page lies. */
static uint64_t append_page(struct snapshot_writer *w, uint64_t gfn, const uint8_t *page)
{
	uint64_t at;

	align(w);
	at = snapshot_writer_bytes(w);
	note(w, gfn, SNAPSHOT_STORED, at);
	append(w, page, PAGE_SIZE);
	return at;
}

static bool lies_at(const struct snapshot_writer *w, uint64_t at, const uint8_t *page)
{
	uint8_t there[PAGE_SIZE];

	return at + PAGE_SIZE <= snapshot_writer_bytes(w) && read_back(w, at, sizeof(there), there) &&
	       memcmp(there, page, sizeof(there)) == 0;
}

/* The twins get a run. Too few of them are written again. */
static void end_twins(struct snapshot_writer *w)
{
	const struct snapshot_twins t = w->twins;
	uint8_t page[PAGE_SIZE];

	w->twins.pages = 0;
	if (t.pages >= SNAPSHOT_CHUNK) {
		begin_run(w, (struct snapshot_run){.gfn = t.gfn,
		                                   .pages = (uint32_t)t.pages,
		                                   .kind = SNAPSHOT_STORED,
		                                   .at = t.at,
		                                   .size = t.pages * PAGE_SIZE});
		return;
	}
	for (uint64_t i = 0; i < t.pages && !w->error; i++) {
		if (!read_back(w, t.at + i * PAGE_SIZE, sizeof(page), page))
			failed(w, EIO);
		else
			(void)append_page(w, t.gfn + i, page);
	}
}

/* Of what is written each SNAPSHOT_CHUNK-th page is known, so that any two of them in a row are found again. */
static void store(struct snapshot_writer *w, uint64_t gfn, const uint8_t *page)
{
	struct snapshot_twins *t = &w->twins;
	uint64_t key, at;

	if (t->pages && t->pages < UINT32_MAX && t->gfn + t->pages == gfn &&
	    lies_at(w, t->at + t->pages * PAGE_SIZE, page)) {
		t->pages++;
		return;
	}
	end_twins(w);
	key = snapshot_known_key(page, PAGE_SIZE);
	at = snapshot_known_find(&w->known, key);
	if (at && lies_at(w, at, page)) {
		*t = (struct snapshot_twins){gfn, at, 1};
		return;
	}
	at = append_page(w, gfn, page);
	if (gfn % SNAPSHOT_CHUNK == 0)
		snapshot_known_note(&w->known, key, at);
}

/* Whether the file has a frame of these very pages already, as run `nr`. */
static bool is_frame(struct snapshot_writer *w, uint64_t nr)
{
	const struct snapshot_run *r = &w->run[nr];
	struct snapshot_packer *p = w->packer;
	const size_t raw = p->pages * PAGE_SIZE;

	return r->pages == p->pages && read_back(w, r->at, r->size, p->packed) &&
	       ZSTD_decompress(p->unpacked, raw, p->packed, r->size) == raw && memcmp(p->unpacked, p->bytes, raw) == 0;
}

/* Writes the pages that wait: packed if that saves a quarter, and nothing if the file has them. */
static void flush(struct snapshot_writer *w)
{
	struct snapshot_packer *p = w->packer;
	uint64_t key, known;
	size_t raw, size;

	if (!p || !p->pages)
		return;
	raw = p->pages * PAGE_SIZE;
	key = snapshot_known_key(p->bytes, raw);
	known = snapshot_known_find(&p->known, key);
	if (known && is_frame(w, known - 1)) {
		struct snapshot_run again = w->run[known - 1];

		end_twins(w);
		again.gfn = p->gfn;
		begin_run(w, again);
		p->pages = 0;
		return;
	}
	size = ZSTD_compressCCtx(p->zstd, p->packed, raw - raw / 4, p->bytes, raw, PACK_LEVEL);
	if (ZSTD_isError(size)) { /* there was no room: it does not pay */
		for (uint32_t i = 0; i < p->pages; i++)
			store(w, p->gfn + i, p->bytes + i * PAGE_SIZE);
	} else {
		end_twins(w);
		begin_run(w, (struct snapshot_run){.gfn = p->gfn,
		                                   .pages = p->pages,
		                                   .kind = SNAPSHOT_PACKED,
		                                   .at = snapshot_writer_bytes(w),
		                                   .size = size});
		append(w, p->packed, size);
		snapshot_known_note(&p->known, key, w->nr_runs);
	}
	p->pages = 0;
}

static void pack(struct snapshot_writer *w, uint64_t gfn, const void *page)
{
	struct snapshot_packer *p = w->packer;

	/* Frames begin where they would in a copy. */
	if (p->pages && (p->gfn + p->pages != gfn || gfn % SNAPSHOT_CHUNK == 0))
		flush(w);
	if (!p->pages)
		p->gfn = gfn;
	memcpy(p->bytes + p->pages++ * PAGE_SIZE, page, PAGE_SIZE);
}

/* Pages without bytes in the file. */
static void note_nothing(struct snapshot_writer *w, uint64_t gfn, enum snapshot_kind kind)
{
	flush(w); /* runs ascend */
	end_twins(w);
	note(w, gfn, kind, 0);
}

void snapshot_writer_page(struct snapshot_writer *w, uint64_t gfn, const void *page)
{
	if (page_is_zero(page)) {
		w->zero++;
		if (w->names_zero)
			note_nothing(w, gfn, SNAPSHOT_ZERO);
		return;
	}
	if (w->packer)
		pack(w, gfn, page);
	else
		store(w, gfn, page);
	w->stored++;
}

void snapshot_writer_absent(struct snapshot_writer *w, uint64_t gfn)
{
	note_nothing(w, gfn, SNAPSHOT_ABSENT);
	w->absent++;
}

static void write_header(struct snapshot_writer *w, struct snapshot_shape *shape)
{
	uint8_t header[SNAPSHOT_HEADER];

	write_at(w, w->leaf[0], w->nr_leaves * SNAPSHOT_HASH, w->at);
	shape->file_size = w->at + w->nr_leaves * SNAPSHOT_HASH;
	snapshot_root(shape, w->leaf, w->nr_leaves, shape->root);
	snapshot_shape_write(shape, header);
	write_at(w, header, sizeof(header), 0);
}

int snapshot_writer_end(struct snapshot_writer *w, struct snapshot_shape *shape, const uint8_t *state,
                        size_t state_size)
{
	uint8_t bytes[SNAPSHOT_RUN];
	int r;

	flush(w);
	end_twins(w);
	align(w);
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
	if (w->packer) {
		ZSTD_freeCCtx(w->packer->zstd);
		snapshot_known_free(&w->packer->known);
	}
	snapshot_known_free(&w->known);
	free(w->packer);
	free(w->block);
	free(w->leaf);
	free(w->run);
	w->packer = NULL;
	w->block = NULL;
	w->leaf = NULL;
	w->run = NULL;
}
