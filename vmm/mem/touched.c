/* SPDX-License-Identifier: MIT */
#include "mem/touched.h"

#include <fcntl.h>
#include <gnomon/addr.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* Of an entry of pagemap: in memory, in swap (Documentation/admin-guide/mm/pagemap.rst). */
#define ENTRY_HOLDS (1ull << 63 | 1ull << 62)

int touched_open(void)
{
	return open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
}

void touched_find(int fd, const void *at, unsigned pages, uint64_t ret_bits[TOUCHED_PAGES / 64])
{
	uint64_t entry[TOUCHED_PAGES];
	const ssize_t size = pages * sizeof(*entry);

	BUG_ON(pages > TOUCHED_PAGES);
	memset(ret_bits, 0xff, TOUCHED_PAGES / 8);
	if (fd < 0 || pread(fd, entry, size, (uintptr_t)at / PAGE_SIZE * sizeof(*entry)) != size)
		return;
	for (unsigned i = 0; i < pages; i++)
		if (!(entry[i] & ENTRY_HOLDS))
			ret_bits[i / 64] &= ~(1ull << i % 64);
}
