/* SPDX-License-Identifier: MIT */
/*
 * A snapshot's file, versions 1 and 2 (docs/snapshot.md). Everything in it is hostile until it is checked: each size and offset
 * once, here.
 *
 *   0          header    4096 bytes: the shape, the places below, the tree's root, a hash of itself
 *   4096       pages     those that are not all zero, 4096 bytes each or packed by zstd
 *   state      state     vCPUs and devices (snapshot/state.h)
 *   index      runs      32 bytes each, ascending: which pages of the guest lie where, and which it does not have
 *   leaves     hashes    BLAKE2b-256 of each 64 KiB from 4096 to here
 *
 * Two runs may lie at one place: equal pages are written once (snapshot/writer.h).
 *
 * The root of a binary tree over the hashes stands in the header. So each byte of the file is under the header's hash.
 *
 * A file of version 2 has a base, another file beside it: pages in no run are as they are there. Its root has the base's in
 * it, so that it stands for the whole chain of files.
 */
#ifndef GNOMON_SNAPSHOT_FORMAT_H
#define GNOMON_SNAPSHOT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

#define SNAPSHOT_VERSION    2 /* of a file with a base; 1: of one that stands alone */
#define SNAPSHOT_HEADER     4096
#define SNAPSHOT_BLOCK      65536
#define SNAPSHOT_HASH       32
#define SNAPSHOT_RUN        32
#define SNAPSHOT_CHUNK      16 /* pages */
#define SNAPSHOT_CPUS_MAX   64
#define SNAPSHOT_MEMORY_MAX (1ull << 46) /* bytes */
#define SNAPSHOT_STATE_MAX  (1ull << 31)
#define SNAPSHOT_WHY_MAX    192
#define SNAPSHOT_FEATURES   6
#define SNAPSHOT_CHAIN_MAX  32 /* files, the newest and its bases */
#define SNAPSHOT_NAME       256

/* Which words of CPUID `features` has, each of bits that the guest was offered. */
enum snapshot_feature_word {
	SNAPSHOT_L1_ECX,
	SNAPSHOT_L1_EDX,
	SNAPSHOT_L7_EBX,
	SNAPSHOT_L7_ECX,
	SNAPSHOT_LX1_ECX,
	SNAPSHOT_LX1_EDX,
};

/* What kind of machine it was, and what of it lies where. */
struct snapshot_shape {
	uint64_t memory; /* bytes of RAM, a multiple of 2 MiB */
	uint32_t cpus;
	char paging[16]; /* the mode that ran, as `--paging` names it */
	char vendor[16]; /* of the CPU: 12 letters */
	uint32_t features[SNAPSHOT_FEATURES];
	uint32_t maxphyaddr;
	uint64_t tsc_hz;                         /* 0: unknown */
	uint64_t created_ms;                     /* CLOCK_REALTIME */
	char gnomon[32], kernel[64], guest[256]; /* for information; each ends with NUL */
	/* The places; bytes. */
	uint64_t state_at, state_size, index_at, nr_runs, leaves_at, file_size;
	/* For information. */
	uint64_t stored_pages, zero_pages, absent_pages;
	uint8_t root[SNAPSHOT_HASH];
	/* The file that this one builds on, in the same directory; empty: none. Its root. */
	char base[SNAPSHOT_NAME];
	uint8_t base_root[SNAPSHOT_HASH];
};

enum snapshot_kind {
	SNAPSHOT_STORED = 1, /* `pages` pages lie at `at` */
	SNAPSHOT_ABSENT,     /* the guest does not have these pages; the host had taken them */
	SNAPSHOT_PACKED,     /* at most SNAPSHOT_CHUNK pages, as one frame of zstd's of `size` bytes at `at` */
	SNAPSHOT_ZERO,       /* all zero; in a file with a base alone */
};

/* Consecutive pages. Those of RAM in no run are all zero, or as in the base. */
struct snapshot_run {
	uint64_t gfn;
	uint32_t pages, kind;
	uint64_t at, size; /* bytes; 0 for absent and zero ones */
};

static inline uint64_t snapshot_nr_leaves(uint64_t leaves_at)
{
	return (leaves_at - SNAPSHOT_HEADER + SNAPSHOT_BLOCK - 1) / SNAPSHOT_BLOCK;
}

/* Writes a clause of at most SNAPSHOT_WHY_MAX bytes, and returns -error. */
int must_check snapshot_refuse(int error, char *ret_why, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Writes the header with its hash; all places are set. */
void snapshot_shape_write(const struct snapshot_shape *shape, uint8_t ret_header[SNAPSHOT_HEADER]);

/*
 * Reads and checks a header of a file of `file_size` bytes. -EBADMSG, with a clause: it cannot be used. Places are in
 * order then, within the file, and add up to its size.
 */
int must_check snapshot_shape_read(const uint8_t header[SNAPSHOT_HEADER], uint64_t file_size,
                                   struct snapshot_shape *ret_shape, char *ret_why);

void snapshot_run_write(const struct snapshot_run *run, uint8_t ret_bytes[SNAPSHOT_RUN]);
/* Also checks it against the run before, NULL for the first, and the shape. False: it cannot be. */
bool snapshot_run_read(const uint8_t bytes[SNAPSHOT_RUN], const struct snapshot_shape *shape,
                       const struct snapshot_run *before, struct snapshot_run *ret_run);

/* Whether these pages are RAM of a machine with so much memory (include/gnomon/abi.h). */
bool snapshot_is_ram(uint64_t memory, uint64_t gfn, uint64_t pages);
/* The page behind the last of its RAM. */
uint64_t snapshot_ram_end(uint64_t memory);
/* The first page behind `gfn` that is RAM where this is none, or the other way round. UINT64_MAX / PAGE_SIZE: there is none. */
uint64_t snapshot_area_end(uint64_t memory, uint64_t gfn);

/* BLAKE2b-256 of a block. */
void snapshot_leaf(const void *block, size_t size, uint8_t ret_hash[SNAPSHOT_HASH]);
/* The root of a file of this shape over its `n` leaves, which it overwrites. The shape's base is set. */
void snapshot_root(const struct snapshot_shape *shape, uint8_t (*leaf)[SNAPSHOT_HASH], uint64_t n,
                   uint8_t ret_root[SNAPSHOT_HASH]);

/* Whether a base can have this name: a file's, without a directory and without control characters. */
bool snapshot_is_base_name(const char *name);

#endif
