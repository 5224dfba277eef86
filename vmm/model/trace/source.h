/* SPDX-License-Identifier: MIT */
/*
 * Where the addresses of a simulation come from. A source gives them in their order, a batch at a time; what it keeps does
 * not grow with how many it has given.
 *
 *     generate.c   numbers: uniform, zipf, stride, sequential
 *     ranges.c     any word of what is mapped somewhere
 *     arena.c      the benchmark's own workloads, in the order in which the guest does them
 *     lackey.c     what `valgrind --tool=lackey --trace-mem=yes` prints
 *     binary.c     Gnomon's own format (docs/model.md)
 *
 * A source belongs to one thread at a time.
 */
#ifndef GNOMON_MODEL_TRACE_SOURCE_H
#define GNOMON_MODEL_TRACE_SOURCE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../guest/arena_apps.h"
#include "base/log.h"

struct model_source;

struct model_source_ops {
	/* Up to `max` addresses; 0 of them: there are no more. -errno, logged; -EINTR, not logged. */
	int (*next)(struct model_source *s, size_t max, uint64_t *ret_va, size_t *ret_nr);
	void (*destroy)(struct model_source *s);
};

/* The head of each source's own struct. */
struct model_source {
	const struct model_source_ops *ops;
};

static inline int must_check model_source_next(struct model_source *s, size_t max, uint64_t *ret_va, size_t *ret_nr)
{
	return s->ops->next(s, max, ret_va, ret_nr);
}

static inline void model_source_destroy(struct model_source *s)
{
	if (s)
		s->ops->destroy(s);
}

/* ---- generators; they never end ---- */

enum model_pattern {
	MODEL_UNIFORM,    /* any word */
	MODEL_ZIPF,       /* any word of a page; page n of a random order comes with a weight of 1/n^0.99 */
	MODEL_STRIDE,     /* a line in each page, page after page */
	MODEL_SEQUENTIAL, /* line after line */
	MODEL_NR_PATTERNS
};

/* In the range of `bytes` bytes at `base`, whole pages of 4 KiB and at least one. The seed is any number. -ENOMEM. */
int must_check model_source_generate(enum model_pattern pattern, uint64_t base, uint64_t bytes, uint64_t seed,
                                     struct model_source **ret_source);

/* Pages side by side, all of one size. */
struct model_range {
	uint64_t first, bytes;
	int page_shift;
};

/* Any word of the ranges, of which there are one at least, in ascending order. They are copied. Never ends. -ENOMEM. */
int must_check model_source_ranges(const struct model_range *range, size_t nr, uint64_t seed,
                                   struct model_source **ret_source);

/* The one of ranges in ascending order that has the address; NULL: none. */
const struct model_range *model_range_of(const struct model_range *range, size_t nr, uint64_t va);

/*
 * The operations of an application of the arena (guest/arena_apps.h), or, with ARENA_NO_APP, the loads of a chase. The
 * caller has filled the `bytes` bytes at `memory` (app_build() or chase_link()), and keeps them longer than the source. What
 * the source gives lies at `base` in place of `memory`. Accesses to one line in a row count as one. An application's state is
 * *state. -ENOMEM.
 */
int must_check model_source_arena(enum arena_app app, void *memory, uint64_t bytes, uint64_t base, uint64_t state,
                                  struct model_source **ret_source);

/* ---- traces ---- */

/* Where a trace's bytes come from. */
struct trace_input {
	const char *name; /* for messages */
	/* As read(2): the number of bytes, 0 at the end; -errno. */
	ssize_t (*read)(void *ctx, void *buf, size_t size);
	void *ctx;
};

/*
 * A trace of either format, told apart by its first bytes. The input outlives the source. -EINVAL, logged: it is empty or
 * neither; -EINTR; what `read` failed with, logged.
 */
int must_check model_source_trace(const struct trace_input *input, struct model_source **ret_source);

/* The format of model_source_trace()'s binary traces: a head, addresses, and an end that tells how many. Little-endian. */
#define TRACE_MAGIC   "\x93GNTR\r\n\x1a"
#define TRACE_VERSION 1
#define TRACE_END     (1ull << 63) /* no canonical address */

struct trace_head {
	char magic[8];
	uint32_t version, reserved; /* reserved: 0 */
};
_Static_assert(sizeof(struct trace_head) == 16, "docs/model.md has the format");

/* Sign-extended from bit 56: what five levels reach. */
static inline bool trace_is_canonical(uint64_t va)
{
	return (uint64_t)((int64_t)(va << 7) >> 7) == va;
}

#endif
