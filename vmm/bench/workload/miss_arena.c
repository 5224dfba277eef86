/* SPDX-License-Identifier: MIT */
#include "bench/workload/miss_arena.h"

#include <errno.h>
#include <gnomon/addr.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/workload/apps_build.h"
#include "mem/backing.h"
#include "mem/host_page.h"

#define CACHE_MOST  (128ull << 20) /* what a larger one leaves to one of its CPUs is less */
#define CACHE_GUESS (32ull << 20)  /* where the host does not say */

/* What was asked for is what there is, or the row would be another. */
static int check_huge(const uint8_t *arena, uint64_t bytes)
{
	uint8_t *page = calloc(bytes / PAGE_2M + 1, 1); /* not of 0 bytes */
	unsigned long long huge = 0;

	if (!page)
		return -ENOMEM;
	host_page_find(arena, bytes, page);
	for (uint64_t n = 0; n < bytes / PAGE_2M; n++)
		huge += page[n] == HOST_PAGE_HUGE;
	free(page);
	if (huge * PAGE_2M == bytes)
		return 0;
	log_error("the host gave %llu of %llu pages of 2 MiB (see THP in `gnomon host`)", huge,
	          (unsigned long long)(bytes / PAGE_2M));
	return -ENOMEM;
}

/* ---- pages that lie apart: one file, each page of it mapped once for each stride ---- */

static int map_apart(int fd, uint32_t pages)
{
	for (int stride = ARENA_2M; stride < ARENA_NR_STRIDES; stride++) {
		for (uint32_t i = 0; i < pages; i++) {
			void *at = (void *)arena_page(stride, i);

			if (mmap(at, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd,
			         (off_t)(i * PAGE_SIZE)) == MAP_FAILED)
				return log_errno(errno, "cannot map page %u of the arena at %p", i, at);
		}
	}
	return 0;
}

static int open_file(uint64_t bytes)
{
	const int fd = memfd_create("arena", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return log_errno(errno, "no file in memory for an arena of %llu MiB", (unsigned long long)(bytes >> 20));
}

/* ---- the whole ---- */

static int map_file(uint64_t bytes, int fd)
{
	const int flags = MAP_SHARED | MAP_FIXED_NOREPLACE;

	if (mmap((void *)ARENA_AT, bytes, PROT_READ | PROT_WRITE, flags, fd, 0) == MAP_FAILED)
		return log_errno(errno, "no memory for an arena of %llu MiB", (unsigned long long)(bytes >> 20));
	return 0;
}

static int map_at_one_place(uint64_t bytes, int fd, enum backing backing)
{
	uint8_t *const p = (void *)ARENA_AT;
	int r = 0;

	if (fd >= 0)
		r = map_file(bytes, fd);
	else if (!backing_map_at(backing, p, bytes))
		r = backing_refused(backing, bytes, errno);
	for (uint64_t at = 0; r == 0 && at < bytes; at += PAGE_SIZE)
		p[at] = 1;
	return r == 0 && backing == BACKING_THP ? check_huge(p, bytes) : r;
}

int miss_arena_map(const struct miss_request *q)
{
	const uint64_t bytes = miss_arena_bytes(q);
	int fd = -1, r;

	if (q->kind == ARENA_APART) {
		fd = open_file(bytes);
		if (fd < 0)
			return fd;
	}
	r = map_at_one_place(bytes, fd, q->backing);
	if (fd >= 0) {
		if (r == 0)
			r = map_apart(fd, ARENA_APART_PAGES);
		close(fd);
	}
	if (r == 0 && q->app)
		app_build(q->app, (void *)ARENA_AT, q->ring[0].pages * PAGE_SIZE, q->seed);
	for (size_t i = 0; r == 0 && !q->app && i < q->nr_rings; i++)
		arena_build(q->ring[i].stride, q->ring[i].pages, i, q->seed + i);
	return r;
}

/* ---- the broom ---- */

struct miss_broom {
	uint64_t bytes;
	uint8_t *memory;
};

/* Bytes of the last cache that this CPU has a part in. Not sysconf(), which may count those of other CPUs. */
static uint64_t last_cache(void)
{
	FILE *f = fopen("/sys/devices/system/cpu/cpu0/cache/index3/size", "re");
	unsigned long long kib;
	uint64_t bytes = CACHE_GUESS;

	if (f) {
		if (fscanf(f, "%llu", &kib) == 1 && kib >= PAGE_2M >> 10 && kib <= CACHE_MOST >> 10)
			bytes = kib << 10 & -PAGE_2M;
		fclose(f);
	}
	return bytes;
}

uint64_t miss_broom_bytes(void)
{
	return 2 * last_cache();
}

struct miss_broom *miss_broom_new(void)
{
	struct miss_broom *broom = calloc(1, sizeof(*broom));

	if (!broom)
		return NULL;
	broom->bytes = miss_broom_bytes();
	broom->memory = backing_map(BACKING_THP, broom->bytes);
	if (broom->memory)
		return broom;
	(void)backing_refused(BACKING_THP, broom->bytes, errno);
	free(broom);
	return NULL;
}

void miss_broom_sweep(struct miss_broom *broom)
{
	for (uint64_t at = 0; at < broom->bytes; at += CHASE_LINE)
		*(volatile uint8_t *)(broom->memory + at) += 1;
}
