/* SPDX-License-Identifier: MIT */
/* The fingerprint of a snapshot, as of a guest that runs, for `gnomon diff`. */
#ifndef GNOMON_CMD_DIFF_FILE_H
#define GNOMON_CMD_DIFF_FILE_H

#include "base/hex.h"
#include "share/tree.h"
#include "snapshot/reader.h"

struct diff_file {
	const char *path;
	struct snapshot s;
	struct share_hash hash;
	struct share_tree tree;
	bool made; /* the tree */
};

/* -errno, logged. diff_file_close() follows 0 alone. */
int must_check diff_file_open(struct diff_file *f, const char *path);
void diff_file_close(struct diff_file *f);

/*
 * Reads and hashes all that the file has, the first time. An empty `key` gets one at random. *hashed grows by the pages.
 * -errno, logged: a block is damaged, there is no memory.
 */
int must_check diff_file_update(struct diff_file *f, const char *algorithm, char key[HEX_TEXT(SHARE_KEY)],
                                uint64_t *hashed);

/* Pages to the end of its memory. */
uint64_t diff_file_pages(const struct diff_file *f);

/* A descent_side's function (share/descent.h) with the file as `ctx`. */
int must_check diff_file_hashes(void *ctx, int level, uint64_t first, unsigned count, struct share_digest *ret_hashes);

#endif
