/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/workload/chase.h"

#define HUGE_BYTES 0x200000ull

/* KiB of this process in 2 MiB pages, or -errno. */
static long huge_kib(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "re");
	long kib = -ENODATA, v;
	char line[256];

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "AnonHugePages: %ld kB", &v) == 1)
			kib = v;
	fclose(f);
	return kib;
}

/* Touched memory of `bytes` in pages of the wanted size, at a 2 MiB boundary. NULL, logged. */
static void *map_arena(uint64_t bytes, bool huge)
{
	char *p = mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long got;

	if (p == MAP_FAILED) {
		log_errno(errno, "no memory for %llu MiB", (unsigned long long)(bytes >> 20));
		return NULL;
	}
	p += -(uintptr_t)p & (HUGE_BYTES - 1);
	/* A kernel without huge pages refuses both advices; it has 4 KiB pages anyway, the others are counted below. */
	madvise(p, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	for (uint64_t i = 0; i < bytes; i += CHASE_PAGE)
		p[i] = 1;
	got = huge ? huge_kib() : 0;
	if (huge && got < (long)(bytes >> 10)) {
		log_error("the host gave %ld of %llu KiB in 2 MiB pages (see THP in `gnomon host`)", got < 0 ? 0 : got,
		          (unsigned long long)(bytes >> 10));
		return NULL;
	}
	return p;
}

static void measure(void *arena, const struct chase_request *q, uint32_t pages, enum chase_kind kind)
{
	/* Not stdio: the parent's unwritten text is in this process's buffer, too. */
	const uint64_t tsc = chase_measure(arena, pages, kind, q->loads, q->seed);

	dprintf(STDOUT_FILENO, "chase pages=%u kind=%s page=%s loads=%llu tsc=%llu\n", pages,
	        kind == CHASE_SPARSE ? "sparse" : "dense", q->huge ? "2m" : "4k",
	        (unsigned long long)(q->loads + 15) / 16 * 16, (unsigned long long)tsc);
}

int chase_native(const void *request)
{
	const struct chase_request *q = request;
	uint64_t bytes = 0;
	void *arena;

	for (size_t i = 0; i < q->nr_sizes; i++)
		if (q->pages[i] * CHASE_PAGE > bytes)
			bytes = q->pages[i] * CHASE_PAGE;
	arena = map_arena((bytes + HUGE_BYTES - 1) & -HUGE_BYTES, q->huge);
	if (!arena)
		return 1;
	for (size_t i = 0; i < q->nr_sizes; i++) {
		measure(arena, q, q->pages[i], CHASE_SPARSE);
		measure(arena, q, q->pages[i], CHASE_DENSE);
	}
	return 0;
}
