/* SPDX-License-Identifier: MIT */
/*
 * Files that build on each other, the newest first. Each names the file that it builds on, which lies in the same directory,
 * and its root. The root of a file has its base's in it, so files that are found by their roots make no circle.
 *
 *   newest       [ 3..5 ]         [9]      pages written since
 *   its base  [1 2 3][zero]                pages written since
 *   the last  [1   ..   6] [7 8 9 10]      all of memory
 *   ----------------------------------
 *   extents   [1 2][3..5]    [7 8][9][10]  where each page is taken from; those in none are all zero
 */
#ifndef GNOMON_SNAPSHOT_CHAIN_H
#define GNOMON_SNAPSHOT_CHAIN_H

#include <sys/stat.h>

#include "snapshot/file.h"

/* Consecutive pages from one file of a chain: what is left of a run, where newer files have the others. */
struct snapshot_extent {
	uint64_t gfn;
	uint32_t pages, kind; /* enum snapshot_kind, but for SNAPSHOT_ZERO */
	uint64_t at, size;    /* as a run's; of a packed one, its whole frame */
	uint32_t file;        /* number in the chain */
	uint32_t skip, frame; /* packed: pages in the frame before the first, and all of them */
};

/*
 * Opens the bases of file[0] in `dir` as file[1] on; there is room for SNAPSHOT_CHAIN_MAX. *ret_nr is how many files there
 * are, all of which the caller closes, also after an error. -errno with a clause of at most SNAPSHOT_WHY_MAX bytes: -ENOENT,
 * a base is missing; -EBADMSG, one is damaged, or another snapshot.
 */
int must_check snapshot_chain_open(int dir, struct snapshot_file *file, struct snapshot_block *b, unsigned *ret_nr,
                                   char *ret_why);

/* Lays `nr` files over each other. The list is the caller's to free. -ENOMEM with a clause. */
int must_check snapshot_chain_merge(const struct snapshot_file *file, unsigned nr, struct snapshot_extent **ret_extent,
                                    uint64_t *ret_nr, char *ret_why);

/*
 * Whether a file that replaces `target`, NULL for a new one, can build on `name` in `dir`, whose root is `root`. By headers
 * alone. -errno with a clause: what snapshot_chain_open() says; -EEXIST, the target is one of them; -EMLINK, they are as
 * many as there may be.
 */
int must_check snapshot_chain_check(int dir, const char *name, const uint8_t root[SNAPSHOT_HASH],
                                    const struct stat *target, char *ret_why);

/* Puts "its base NAME: " before a clause, and returns `r`. */
int snapshot_of_base(const char *name, int r, char *ret_why);

#endif
