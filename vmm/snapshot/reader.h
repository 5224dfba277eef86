/* SPDX-License-Identifier: MIT */
/*
 * Reads a snapshot, whose files may be anything: one that stands alone, or one with the chain that it builds on. Opening it
 * checks header, hashes and index of each, and the newest's state. A page is checked when it is read: its whole block is
 * hashed, once for all pages in a row.
 */
#ifndef GNOMON_SNAPSHOT_READER_H
#define GNOMON_SNAPSHOT_READER_H

#include "snapshot/chain.h"
#include "snapshot/state.h"

struct snapshot {
	struct snapshot_shape shape; /* of the newest file */
	struct snapshot_state state; /* likewise */
	struct snapshot_file *file;  /* the newest, then what it builds on */
	unsigned nr_files;
	struct snapshot_extent *run; /* of all files; pages of RAM in none are all zero */
	uint64_t nr_runs;
	uint64_t stored_pages, absent_pages; /* in them */
	struct snapshot_block block;
	uint8_t *chunk;                  /* the last packed run that was unpacked; behind it room for it as it was */
	struct snapshot_extent chunk_of; /* whose frame that is; no pages: none */
};

/*
 * Opens and checks it. Bases are looked for where the file lies, if the path leads to it by a link. -errno, with a clause of
 * at most SNAPSHOT_WHY_MAX bytes ("its header is damaged").
 */
int must_check snapshot_open(const char *path, struct snapshot *ret_snapshot, char *ret_why);
/* The same for a descriptor, which is the snapshot's from now on, also after an error. */
int must_check snapshot_open_fd(int fd, struct snapshot *ret_snapshot, char *ret_why);
/* Likewise; bases lie in `dir`. */
int must_check snapshot_open_in(int dir, int fd, struct snapshot *ret_snapshot, char *ret_why);
void snapshot_close(struct snapshot *s);

/* Copies the page of `run` that is `n` behind its first. -EBADMSG: its block is damaged; other -errno; a clause. */
int must_check snapshot_page(struct snapshot *s, const struct snapshot_extent *run, uint32_t n, void *ret_page,
                             char *ret_why);

/* The first run with page `gfn` or one behind it; NULL: none. Pages of RAM before it are all zero. */
const struct snapshot_extent *snapshot_run_from(const struct snapshot *s, uint64_t gfn);

#endif
