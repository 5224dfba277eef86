/* SPDX-License-Identifier: MIT */
/*
 * Reads a snapshot's file, which may be anything. Opening it checks header, hashes, state and index. A page is checked when
 * it is read: its whole block is hashed, once for all pages in a row.
 */
#ifndef GNOMON_SNAPSHOT_READER_H
#define GNOMON_SNAPSHOT_READER_H

#include "snapshot/state.h"

struct snapshot {
	int fd;
	struct snapshot_shape shape;
	struct snapshot_state state;
	struct snapshot_run *run; /* shape.nr_runs */
	uint8_t (*leaf)[SNAPSHOT_HASH];
	uint64_t nr_leaves;
	uint8_t *block;    /* the last that was read and found good */
	uint8_t *chunk;    /* the last packed run that was unpacked; behind it room for it as it was */
	uint64_t chunk_at; /* where it lies in the file; 0: none */
	uint32_t chunk_pages;
	uint64_t block_nr; /* its number; UINT64_MAX: none */
};

/* Opens and checks it. -errno, with a clause of at most SNAPSHOT_WHY_MAX bytes ("its header is damaged"). */
int must_check snapshot_open(const char *path, struct snapshot *ret_snapshot, char *ret_why);
/* The same for a descriptor, which is the snapshot's from now on, also after an error. */
int must_check snapshot_open_fd(int fd, struct snapshot *ret_snapshot, char *ret_why);
void snapshot_close(struct snapshot *s);

/* Copies the page of run `run` that is `n` behind its first. -EBADMSG: its block is damaged; other -errno; a clause. */
int must_check snapshot_page(struct snapshot *s, const struct snapshot_run *run, uint32_t n, void *ret_page,
                             char *ret_why);

/* The first run with page `gfn` or one behind it; NULL: none. Pages of RAM before it are all zero. */
const struct snapshot_run *snapshot_run_from(const struct snapshot *s, uint64_t gfn);

/* Checks block `nr`. -EBADMSG with a clause that names it and what lies there. */
int must_check snapshot_check_block(struct snapshot *s, uint64_t nr, char *ret_why);

#endif
