/* SPDX-License-Identifier: MIT */
#include "monitor/secure.h"

#include <sys/mman.h>

#include "mem/backing.h"

static uint8_t *at_frame(void *memory, maddr_t at)
{
	return (uint8_t *)memory + maddr_raw(at);
}

void *secure_map(uint64_t size)
{
	void *memory = backing_map(BACKING_4K, round_up(size, PAGE_2M));

	if (memory)
		(void)madvise(memory, round_up(size, PAGE_2M), MADV_DONTDUMP);
	return memory;
}

void secure_unmap(void *memory, uint64_t size)
{
	munmap(memory, round_up(size, PAGE_2M));
}

void secure_claim(void *memory, maddr_t at, uint64_t size)
{
	const uint64_t from = round_up(maddr_raw(at), PAGE_2M), to = (maddr_raw(at) + size) & ~(PAGE_2M - 1);

	backing_advise(BACKING_4K, at_frame(memory, at), size); /* another enclave may have had it */
	if (from < to)
		backing_advise(BACKING_THP, at_frame(memory, maddr_init(from)), to - from);
}

void secure_populate(void *memory, maddr_t at, uint64_t size)
{
	(void)madvise(at_frame(memory, at), size, MADV_POPULATE_WRITE); /* Linux 5.14 */
}

bool secure_discard(void *memory, maddr_t at, uint64_t size)
{
	uint8_t *from = at_frame(memory, at);

	return madvise(from, size, MADV_DONTNEED_LOCKED) == 0 || madvise(from, size, MADV_DONTNEED) == 0;
}
