/* SPDX-License-Identifier: MIT */
#include "bench/touch.h"

#include <sys/mman.h>

#include "mem/backing.h"

void bench_touch_memory(uint64_t bytes)
{
	void *p = backing_map(BACKING_THP, bytes);

	if (!p)
		return;
	(void)madvise(p, bytes, MADV_POPULATE_WRITE); /* Linux 5.14; without it the run pays */
	munmap(p, bytes);
}
