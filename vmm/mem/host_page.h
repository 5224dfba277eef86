/* SPDX-License-Identifier: MIT */
/*
 * How the host maps memory of this process: by 2 MiB pages or by 4 KiB ones. KVM's second stage maps no larger.
 *
 *   PAGEMAP_SCAN (Linux 6.7)   tells it of every page
 *   /proc/self/smaps           tells how much of each mapping is in 2 MiB pages: enough where that is all or nothing
 *   /proc/self/pagemap         for the rest, where frames are shown (CAP_SYS_ADMIN): 512 frames in a row may be one
 *                              page
 */
#ifndef GNOMON_MEM_HOST_PAGE_H
#define GNOMON_MEM_HOST_PAGE_H

#include <stdbool.h>
#include <stdint.h>

enum host_page {
	HOST_PAGE_SMALL, /* or nothing is mapped there */
	HOST_PAGE_HUGE,
	HOST_PAGE_UNKNOWN, /* the host does not say */
};

/*
 * Gives an enum host_page for each 2 MiB of [at, at + size). Both are multiples of 2 MiB; `ret_pages` has room for
 * size / 2 MiB. The memory is anonymous.
 */
void host_page_find(const void *at, uint64_t size, uint8_t *ret_pages);

/* Two of these ways. False: this kernel does not have it, and `ret_pages` is untouched. For the tests. */
bool host_page_scan(const void *at, uint64_t size, uint8_t *ret_pages);
bool host_page_smaps(const void *at, uint64_t size, uint8_t *ret_pages);

#endif
