/* SPDX-License-Identifier: MIT */
/*
 * The host's pages behind memory that a guest uses, directly or as tables: what kinds there are, and mappings of them.
 *
 *   EPT or NPT maps by   4 KiB   2 MiB             1 GiB
 *                        4k      thp, hugetlb2m    hugetlb1g
 */
#ifndef GNOMON_MEM_BACKING_H
#define GNOMON_MEM_BACKING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

enum backing {
	BACKING_4K,        /* anonymous memory, transparent huge pages refused */
	BACKING_THP,       /* anonymous memory, transparent huge pages asked for */
	BACKING_HUGETLB2M, /* 2 MiB pages of the host's hugetlb pool */
	BACKING_HUGETLB1G, /* 1 GiB pages, likewise */
};
#define BACKING_NR (BACKING_HUGETLB1G + 1)

#define BACKING_NAMES "4k, thp, hugetlb2m, hugetlb1g"

/* `text` is one of BACKING_NAMES; -EINVAL for anything else. */
int must_check backing_parse(const char *text, enum backing *ret_backing);
const char *backing_name(enum backing b);

/* Returns the least that the host gives and takes, in bytes: 4 KiB, with thp too, or a page of the pool. */
uint64_t backing_page(enum backing b);

/* "2 MiB": that in words. */
const char *backing_page_words(enum backing b);

static inline bool backing_is_pool(enum backing b)
{
	return b == BACKING_HUGETLB2M || b == BACKING_HUGETLB1G;
}

/*
 * Maps `size` zeroed bytes, a multiple of 2 MiB and of backing_page(). The caller munmap()s them. They are aligned to
 * 2 MiB and to a host page, so that KVM can map them by large pages at an address that is aligned as well. The host
 * takes pages at first touch, but promises those of a pool now. NULL, with errno.
 */
void *backing_map(enum backing b, uint64_t size);

/* The same at a place where nothing is; multiples of backing_page(), and no other alignment. NULL, with errno. */
void *backing_map_at(enum backing b, void *at, uint64_t size);

/* Tells the host which pages to use for anonymous memory of this kind. Not for a pool. */
void backing_advise(enum backing b, void *at, uint64_t size);

/* Logs that backing_map() failed with `error`, and how to enlarge a pool that is too small. Returns -error. */
int backing_refused(enum backing b, uint64_t size, int error);

#endif
