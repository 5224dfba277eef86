/* SPDX-License-Identifier: MIT */
#include "mem/host_page.h"

#include <errno.h>
#include <fcntl.h>
#include <gnomon/addr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mem/pagemap.h"

#define SCAN_REGIONS 64
#define FRAMES       (PAGE_2M / PAGE_SIZE)

static void set(uint8_t *pages, uint64_t offset, uint64_t size, enum host_page what)
{
	memset(pages + offset / PAGE_2M, what, size / PAGE_2M);
}

static int open_pagemap(void)
{
	return open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
}

bool host_page_scan(const void *at, uint64_t size, uint8_t *ret_pages)
{
	const uint64_t first = (uintptr_t)at;
	struct pagemap_region region[SCAN_REGIONS];
	struct pagemap_scan arg = {.size = sizeof(arg),
	                           .start = first,
	                           .end = first + size,
	                           .vec = (uintptr_t)region,
	                           .vec_len = SCAN_REGIONS,
	                           .category_mask = PAGEMAP_IS_HUGE,
	                           .return_mask = PAGEMAP_IS_HUGE};
	const int fd = open_pagemap();
	int n = -1;

	if (fd < 0)
		return false;
	do {
		n = ioctl(fd, PAGEMAP_SCAN_RANGE, &arg);
		if (n < 0)
			break;
		if (arg.start == first)
			set(ret_pages, 0, size, HOST_PAGE_SMALL);
		for (int i = 0; i < n; i++)
			set(ret_pages, region[i].start - first, region[i].end - region[i].start, HOST_PAGE_HUGE);
		arg.start = arg.walk_end;
	} while (arg.start < arg.end);
	close(fd);
	return n >= 0;
}

/* A mapping of the process, as smaps has it; bytes. */
struct mapping {
	uint64_t first, end, resident, huge;
};

/* 512 frames in a row from a multiple of 512: a 2 MiB page, or by chance. False also where frames are not shown. */
static bool may_be_huge(int pagemap, uint64_t at)
{
	uint64_t frame[FRAMES];

	if (pread(pagemap, frame, sizeof(frame), at / PAGE_SIZE * sizeof(*frame)) != sizeof(frame))
		return false;
	for (unsigned i = 0; i < FRAMES; i++)
		if (!(frame[i] & PAGEMAP_PRESENT) || (frame[i] & PAGEMAP_FRAME) != (frame[0] & PAGEMAP_FRAME) + i)
			return false;
	return (frame[0] & PAGEMAP_FRAME) && (frame[0] & PAGEMAP_FRAME) % FRAMES == 0;
}

static bool shows_frames(int pagemap, uint64_t at)
{
	uint64_t frame = 0;

	for (uint64_t i = 0; i < FRAMES && !(frame & PAGEMAP_PRESENT); i++)
		if (pread(pagemap, &frame, sizeof(frame), (at / PAGE_SIZE + i) * sizeof(frame)) != sizeof(frame))
			return false;
	return !(frame & PAGEMAP_PRESENT) || frame & PAGEMAP_FRAME;
}

/* [first, end) of one mapping, which is huge in part. As many candidates as huge pages: they are those. */
static void tell_apart(const struct mapping *m, uint64_t first, uint64_t end, uint64_t base, uint8_t *pages)
{
	const int fd = open_pagemap();
	uint64_t candidates = 0;

	for (uint64_t at = first; at < end; at += PAGE_2M) {
		uint8_t *page = &pages[(at - base) / PAGE_2M];

		*page = fd < 0 || !shows_frames(fd, at) || may_be_huge(fd, at) ? HOST_PAGE_UNKNOWN : HOST_PAGE_SMALL;
		candidates += *page == HOST_PAGE_UNKNOWN;
	}
	if (fd >= 0)
		close(fd);
	for (uint64_t at = first; candidates == m->huge / PAGE_2M && at < end; at += PAGE_2M)
		if (pages[(at - base) / PAGE_2M] == HOST_PAGE_UNKNOWN)
			pages[(at - base) / PAGE_2M] = HOST_PAGE_HUGE;
}

/* What a mapping says of the whole 2 MiB in it. */
static void judge(const struct mapping *m, uint64_t base, uint64_t size, uint8_t *pages)
{
	const uint64_t from = round_up(m->first, PAGE_2M), to = m->end & ~(PAGE_2M - 1);
	const uint64_t first = from > base ? from : base, end = to < base + size ? to : base + size;

	if (first >= end || !m->huge)
		return;
	if (m->huge >= m->resident)
		set(pages, first - base, end - first, HOST_PAGE_HUGE);
	else
		tell_apart(m, first, end, base, pages);
}

bool host_page_smaps(const void *at, uint64_t size, uint8_t *ret_pages)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	struct mapping m = {0};
	bool any = false;
	char line[512];

	if (!f)
		return false;
	set(ret_pages, 0, size, HOST_PAGE_SMALL);
	while (fgets(line, sizeof(line), f)) {
		unsigned long long first, end, kib;

		if (sscanf(line, "%llx-%llx ", &first, &end) == 2) {
			judge(&m, (uintptr_t)at, size, ret_pages);
			m = (struct mapping){.first = first, .end = end};
		} else if (sscanf(line, "Rss: %llu kB", &kib) == 1) {
			m.resident = kib << 10;
		} else if (sscanf(line, "AnonHugePages: %llu kB", &kib) == 1) {
			m.huge = kib << 10;
			any = true;
		}
	}
	judge(&m, (uintptr_t)at, size, ret_pages);
	fclose(f);
	return any;
}

void host_page_find(const void *at, uint64_t size, uint8_t *ret_pages)
{
	if (!host_page_scan(at, size, ret_pages) && !host_page_smaps(at, size, ret_pages))
		set(ret_pages, 0, size, HOST_PAGE_UNKNOWN);
}
