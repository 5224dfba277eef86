/* SPDX-License-Identifier: MIT */
/*
 * Which pages of this process's private memory hold anything: by /proc/self/pagemap, without touching them. Others read
 * as zeroes, and to read them would cost the host page tables, and a pool of huge pages its pages.
 */
#ifndef GNOMON_MEM_TOUCHED_H
#define GNOMON_MEM_TOUCHED_H

#include <stdint.h>

/* Pages that one call can tell of. */
#define TOUCHED_PAGES 512

/* A descriptor for touched_find(), the caller's to close. Negative: this host does not tell. */
int touched_open(void);

/*
 * A bit for each of the `pages`, up to TOUCHED_PAGES, from `at` on, which is whole pages: set unless the page was never
 * written since it was mapped or discarded. Where the host does not tell all are set.
 */
void touched_find(int fd, const void *at, unsigned pages, uint64_t ret_bits[TOUCHED_PAGES / 64]);

#endif
