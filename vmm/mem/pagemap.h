/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/pagemap: an entry for each page, and the ioctl that scans a range. <linux/fs.h> of Linux 6.7 has the second,
 * which older headers lack; Documentation/admin-guide/mm/pagemap.rst has both.
 */
#ifndef GNOMON_MEM_PAGEMAP_H
#define GNOMON_MEM_PAGEMAP_H

#include <stdint.h>
#include <sys/ioctl.h>

struct pagemap_region {
	uint64_t start, end, categories;
};
struct pagemap_scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define PAGEMAP_SCAN_RANGE _IOWR('f', 16, struct pagemap_scan)
/* Categories */
#define PAGEMAP_IS_FILE    (1ull << 2)
#define PAGEMAP_IS_PRESENT (1ull << 3)
#define PAGEMAP_IS_SWAPPED (1ull << 4)
#define PAGEMAP_IS_ZERO    (1ull << 5)
#define PAGEMAP_IS_HUGE    (1ull << 6)

/* An entry's bits */
#define PAGEMAP_PRESENT (1ull << 63)
#define PAGEMAP_SWAPPED (1ull << 62)
#define PAGEMAP_FILE    (1ull << 61)
#define PAGEMAP_FRAME   ((1ull << 55) - 1)

#endif
