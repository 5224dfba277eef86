/* SPDX-License-Identifier: MIT */
/*
 * The simulated physical memory of one dimension.
 *
 *     0 ................ data                    pages: addresses without content; a live guest's lie here, too
 *     data ............. data + limit            tables: bytes that the designs write and read
 *
 * Pages and tables never share a frame. The host's memory is taken as tables are touched: a large limit costs nothing.
 * A memory belongs to those who hold it; one thread at a time.
 */
#ifndef GNOMON_MODEL_DESIGN_MEMORY_H
#define GNOMON_MODEL_DESIGN_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

struct model_memory {
	uint64_t data, limit;
	uint64_t data_top;        /* pages were given out below */
	uint64_t table_top;       /* tables were given out below */
	uint64_t next[2], end[2]; /* what is left of the 2 MiB page that is cut up, and of the 1 GiB page */
	uint8_t *bytes;           /* of the tables */
	uint64_t *page;           /* all that model_memory_page gave: address | shift */
	size_t nr_pages, room;
	unsigned holders;
};

/* Whole 4 KiB pages. -EINVAL: none, or more than 1 << 52 bytes; -ENOMEM. The caller holds it. */
int must_check model_memory_create(uint64_t data, uint64_t limit, struct model_memory **ret_memory);

struct model_memory *model_memory_get(struct model_memory *m);

/* The last holder's put frees it. NULL is none. */
void model_memory_put(struct model_memory *m);

/* The address of a page that nobody has: 12, 21 or 30, aligned to its size, never 0. -ENOSPC: none is left; -ENOMEM. */
int must_check model_memory_page(struct model_memory *m, int shift, uint64_t *ret_address);

/*
 * Zeroed bytes for a table, whole 4 KiB pages; aligned to 4 KiB, from 2 MiB on to 2 MiB. -ENOMEM.
 */
int must_check model_memory_table(struct model_memory *m, uint64_t bytes, uint64_t *ret_address);

/* A table that is not used any more. Its address is not given out again. */
void model_memory_free(struct model_memory *m, uint64_t address, uint64_t bytes);

/* How much of what a memory gave out somebody has seen. All zero: nothing. */
struct model_memory_seen {
	uint64_t table_bytes;
	size_t pages;
};

/*
 * Calls `use` for tables and pages that were given out since the last time, whole 4 KiB pages. Ends with the first
 * result that is not 0, and returns it; what was seen stays so.
 */
int must_check model_memory_news(const struct model_memory *m, struct model_memory_seen *seen,
                                 int (*use)(void *ctx, uint64_t first, uint64_t bytes), void *ctx);

/* The bytes at an address in a table. */
static inline void *model_memory_at(const struct model_memory *m, uint64_t address)
{
	return m->bytes + (address - m->data);
}

static inline uint64_t model_memory_address(const struct model_memory *m, const void *at)
{
	return (uint64_t)((const uint8_t *)at - m->bytes) + m->data;
}

/* Zeroed memory of the process that is taken as it is touched. NULL: there is no room for it. */
void *model_reserve(uint64_t bytes);
void model_unreserve(void *at, uint64_t bytes);

#endif
