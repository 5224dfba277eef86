/* SPDX-License-Identifier: MIT */
/*
 * One file of a snapshot, which may be anything: its header, hashes and index are checked when it is opened, each block
 * when it is read. A file with a base is no whole snapshot: snapshot/reader.h opens the chain.
 */
#ifndef GNOMON_SNAPSHOT_FILE_H
#define GNOMON_SNAPSHOT_FILE_H

#include "snapshot/format.h"

struct snapshot_file {
	int fd;
	struct snapshot_shape shape;
	struct snapshot_run *run; /* shape.nr_runs */
	uint8_t (*leaf)[SNAPSHOT_HASH];
	uint64_t nr_leaves;
};

/* The block that was read last and found good. One for each thread that reads; a file is not changed by it. */
struct snapshot_block {
	uint8_t *bytes;
	const struct snapshot_file *file; /* whose it is; NULL: none */
	uint64_t nr;
};

/* -ENOMEM with a clause. snapshot_block_free() also takes one that is all zero. */
int must_check snapshot_block_init(struct snapshot_block *b, char *ret_why);
void snapshot_block_free(struct snapshot_block *b);

/* Reads and checks the header alone of an open file. -errno with a clause of at most SNAPSHOT_WHY_MAX bytes. */
int must_check snapshot_file_header(int fd, struct snapshot_shape *ret_shape, char *ret_why);

/* Opens and checks it; the descriptor is the file's from now on, also after an error. -errno with a clause. */
int must_check snapshot_file_open(int fd, struct snapshot_block *b, struct snapshot_file *ret_file, char *ret_why);
void snapshot_file_close(struct snapshot_file *f);

/* Reads block `nr` into `b`. -EBADMSG with a clause that names it and what lies there; other -errno. */
int must_check snapshot_file_block(const struct snapshot_file *f, struct snapshot_block *b, uint64_t nr, char *ret_why);
/* Copies bytes of the part that is under hashes, wherever its blocks end. */
int must_check snapshot_file_get(const struct snapshot_file *f, struct snapshot_block *b, uint64_t at, uint64_t size,
                                 uint8_t *to, char *ret_why);

#endif
