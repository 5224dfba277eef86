/* SPDX-License-Identifier: MIT */
/*
 * What pages of this process's guest memory cost the host: nothing, a page of its own, or a page of a file that others may
 * map as well. Told without touching them, by PAGEMAP_SCAN (Linux 6.7), else by the entries of /proc/self/pagemap. Those
 * tell the host's page of zeroes from one of our own only where frames are shown (CAP_SYS_ADMIN).
 */
#ifndef GNOMON_MEM_PAGE_KIND_H
#define GNOMON_MEM_PAGE_KIND_H

#include <stdint.h>

/* Pages that one call can tell of. */
#define PAGE_KIND_PAGES 512

enum page_kind {
	PAGE_COSTS_NOTHING, /* not mapped, or the host's page of zeroes */
	PAGE_OWN,           /* in memory or swapped out */
	PAGE_OF_FILE,       /* a file's page that was not written here */
};

/*
 * Gives an enum page_kind for each of `pages`, up to PAGE_KIND_PAGES, from `at` on. `fd` is touched_open()'s (mem/touched.h). Where
 * the host does not tell all are PAGE_OWN.
 */
void page_kind_find(int fd, const void *at, unsigned pages, uint8_t ret_kind[PAGE_KIND_PAGES]);

/* The second way. For the tests. */
void page_kind_read(int fd, const void *at, unsigned pages, uint8_t ret_kind[PAGE_KIND_PAGES]);

#endif
