/* SPDX-License-Identifier: MIT */
#include "bench/touch.h"

#include <stddef.h>
#include <sys/mman.h>

void bench_touch_memory(uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return;
	(void)madvise(p, bytes, MADV_HUGEPAGE);
	(void)madvise(p, bytes, MADV_POPULATE_WRITE); /* Linux 5.14; without it the run pays */
	munmap(p, bytes);
}
