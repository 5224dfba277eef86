/* SPDX-License-Identifier: MIT */
/*
 * Writes a snapshot's file from its beginning to its end, but for the header, which comes last: a file that was not
 * completed is none. Pages come in ascending order. After an error nothing more is written.
 *
 * What the file has already is not written again: SNAPSHOT_CHUNK pages in a row and more that are equal to as many that
 * lie in a row, and frames of packed pages. Less would cut the file into pieces that are too small to be mapped.
 */
#ifndef GNOMON_SNAPSHOT_WRITER_H
#define GNOMON_SNAPSHOT_WRITER_H

#include "snapshot/format.h"
#include "snapshot/known.h"

struct snapshot_writer {
	int fd;
	int error;      /* the first -errno; 0 */
	uint64_t at;    /* in the file, of the block that is being filled */
	uint8_t *block; /* SNAPSHOT_BLOCK bytes, `filled` of them */
	size_t filled;
	uint8_t (*leaf)[SNAPSHOT_HASH];
	uint64_t nr_leaves, leaf_room;
	struct snapshot_run *run;
	uint64_t nr_runs, run_room;
	uint64_t stored, zero, absent;  /* pages */
	struct snapshot_known known;    /* pages: where they lie */
	struct snapshot_twins {
		uint64_t gfn, at;
		uint64_t pages;
	} twins; /* the last pages, if they lie in the file from `at` on and no run has them yet */
	struct snapshot_packer *packer; /* pages in a row that wait to be packed; NULL: none are packed */
	bool names_zero;                /* set behind snapshot_writer_begin(): the file will have a base */
};

/*
 * Begins a file at `fd`, which is empty and stays the caller's. With `pack` pages are packed where that pays. -ENOMEM.
 * snapshot_writer_end() ends it in any case.
 */
int must_check snapshot_writer_begin(struct snapshot_writer *w, int fd, bool pack);

/*
 * A page of the guest's, 4096 bytes; one that is all zero takes no room. Of a file with a base what is not written is as
 * it is there.
 */
void snapshot_writer_page(struct snapshot_writer *w, uint64_t gfn, const void *page);
/* A page that the guest does not have. */
void snapshot_writer_absent(struct snapshot_writer *w, uint64_t gfn);

/* Bytes of the file so far, for whoever watches. */
static inline uint64_t snapshot_writer_bytes(const struct snapshot_writer *w)
{
	return w->at + w->filled;
}

/*
 * Writes state, index, hashes and header. The shape has its base; its places, counts and root are filled in. -errno: the
 * file is none. It is not synced.
 */
int must_check snapshot_writer_end(struct snapshot_writer *w, struct snapshot_shape *shape, const uint8_t *state,
                                   size_t state_size);
/* Frees what a file took that shall not be completed. */
void snapshot_writer_abandon(struct snapshot_writer *w);

#endif
