/* SPDX-License-Identifier: MIT */
#include "mem/page_kind.h"

#include <gnomon/addr.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "mem/pagemap.h"

static enum page_kind kind(uint64_t categories)
{
	if (categories & PAGEMAP_IS_ZERO)
		return PAGE_COSTS_NOTHING;
	return categories & PAGEMAP_IS_FILE ? PAGE_OF_FILE : PAGE_OWN;
}

static bool scan(int fd, const void *at, unsigned pages, uint8_t *ret_kind)
{
	const uint64_t first = (uintptr_t)at;
	struct pagemap_region region[PAGE_KIND_PAGES];
	struct pagemap_scan arg = {.size = sizeof(arg),
	                           .start = first,
	                           .end = first + pages * PAGE_SIZE,
	                           .vec = (uintptr_t)region,
	                           .vec_len = PAGE_KIND_PAGES,
	                           .category_anyof_mask = PAGEMAP_IS_PRESENT | PAGEMAP_IS_SWAPPED,
	                           .return_mask =
	                               PAGEMAP_IS_FILE | PAGEMAP_IS_PRESENT | PAGEMAP_IS_SWAPPED | PAGEMAP_IS_ZERO};
	const int n = ioctl(fd, PAGEMAP_SCAN_RANGE, &arg);

	if (n < 0)
		return false;
	memset(ret_kind, PAGE_COSTS_NOTHING, pages);
	for (int i = 0; i < n; i++)
		memset(ret_kind + (region[i].start - first) / PAGE_SIZE, kind(region[i].categories),
		       (region[i].end - region[i].start) / PAGE_SIZE);
	return true;
}

/* The frame of the host's page of zeroes. 0: frames are not shown. */
static uint64_t zero_frame(int fd)
{
	const volatile uint8_t *page = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t entry = 0;

	if (page == MAP_FAILED)
		return 0;
	(void)*page;
	if (pread(fd, &entry, sizeof(entry), (uintptr_t)page / PAGE_SIZE * sizeof(entry)) != sizeof(entry))
		entry = 0;
	munmap((void *)(uintptr_t)page, PAGE_SIZE);
	return entry & PAGEMAP_FRAME;
}

void page_kind_read(int fd, const void *at, unsigned pages, uint8_t ret_kind[PAGE_KIND_PAGES])
{
	uint64_t entry[PAGE_KIND_PAGES], zero;
	const ssize_t size = pages * sizeof(*entry);

	memset(ret_kind, PAGE_OWN, pages);
	if (fd < 0 || pread(fd, entry, size, (uintptr_t)at / PAGE_SIZE * sizeof(*entry)) != size)
		return;
	zero = zero_frame(fd);
	for (unsigned i = 0; i < pages; i++) {
		if (!(entry[i] & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED)) ||
		    (zero && entry[i] & PAGEMAP_PRESENT && (entry[i] & PAGEMAP_FRAME) == zero))
			ret_kind[i] = PAGE_COSTS_NOTHING;
		else if (entry[i] & PAGEMAP_FILE)
			ret_kind[i] = PAGE_OF_FILE;
	}
}

void page_kind_find(int fd, const void *at, unsigned pages, uint8_t ret_kind[PAGE_KIND_PAGES])
{
	BUG_ON(pages > PAGE_KIND_PAGES);
	if (fd < 0 || !scan(fd, at, pages, ret_kind))
		page_kind_read(fd, at, pages, ret_kind);
}
