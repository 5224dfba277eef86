/* SPDX-License-Identifier: MIT */
#include "mem/backing.h"

#include <errno.h>
#include <gnomon/addr.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define MAP_HUGE(shift) ((shift) << 26) /* mmap(2): MAP_HUGE_SHIFT */

static const struct {
	const char *name;
	uint64_t page;
	const char *page_words;
	int map_flags;
} kinds[] = {
    [BACKING_4K] = {"4k", PAGE_SIZE, "4 KiB", 0},
    [BACKING_THP] = {"thp", PAGE_SIZE, "4 KiB", 0},
    [BACKING_HUGETLB2M] = {"hugetlb2m", PAGE_2M, "2 MiB", MAP_HUGE(21)},
    [BACKING_HUGETLB1G] = {"hugetlb1g", PAGE_1G, "1 GiB", MAP_HUGE(30)},
};

int backing_parse(const char *text, enum backing *ret_backing)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(text, kinds[i].name) == 0) {
			*ret_backing = (enum backing)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *backing_name(enum backing b)
{
	return kinds[b].name;
}

uint64_t backing_page(enum backing b)
{
	return kinds[b].page;
}

const char *backing_page_words(enum backing b)
{
	return kinds[b].page_words;
}

/* No NORESERVE for a pool: one that is too small must fail now, not as SIGBUS later. */
static int flags_of(enum backing b)
{
	return MAP_PRIVATE | MAP_ANONYMOUS | (backing_is_pool(b) ? MAP_HUGETLB | kinds[b].map_flags : MAP_NORESERVE);
}

/* Anonymous memory aligned to 2 MiB: maps 2 MiB more and gives the ends back. */
static void *map_aligned(uint64_t size)
{
	uint8_t *p = mmap(NULL, size + PAGE_2M, PROT_READ | PROT_WRITE, flags_of(BACKING_4K), -1, 0);
	uint64_t head;

	if (p == MAP_FAILED)
		return NULL;
	head = -(uintptr_t)p & (PAGE_2M - 1);
	if (head)
		munmap(p, head);
	munmap(p + head + size, PAGE_2M - head);
	return p + head;
}

static void *map_pool(enum backing b, uint64_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags_of(b), -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void *backing_map_at(enum backing b, void *at, uint64_t size)
{
	void *p;

	BUG_ON(size % kinds[b].page);
	p = mmap(at, size, PROT_READ | PROT_WRITE, flags_of(b) | MAP_FIXED_NOREPLACE, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	if (!backing_is_pool(b))
		backing_advise(b, p, size);
	return p;
}

void backing_advise(enum backing b, void *at, uint64_t size)
{
	/* A host without THP refuses both pieces of advice, and means 4 KiB pages either way. */
	(void)madvise(at, size, b == BACKING_THP ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

void *backing_map(enum backing b, uint64_t size)
{
	void *p;

	BUG_ON(size % PAGE_2M || size % kinds[b].page);
	if (backing_is_pool(b))
		return map_pool(b, size);
	p = map_aligned(size);
	if (p)
		backing_advise(b, p, size);
	return p;
}

#define POOL_PATH "/sys/kernel/mm/hugepages/hugepages-%llukB/%s"

static bool read_pool(enum backing b, const char *file, unsigned long long *ret_pages)
{
	char path[96];
	bool ok;
	FILE *f;

	snprintf(path, sizeof(path), POOL_PATH, (unsigned long long)(kinds[b].page >> 10), file);
	f = fopen(path, "re");
	if (!f)
		return false;
	ok = fscanf(f, "%llu", ret_pages) == 1;
	fclose(f);
	return ok;
}

int backing_refused(enum backing b, uint64_t size, int error)
{
	const unsigned long long mib = size >> 20, need = size / kinds[b].page;
	unsigned long long all, free, promised;

	if (!backing_is_pool(b))
		return log_errno(error, "the host does not give %llu MiB of %s memory", mib, kinds[b].name);
	if (!read_pool(b, "nr_hugepages", &all) || !read_pool(b, "free_hugepages", &free) ||
	    !read_pool(b, "resv_hugepages", &promised))
		return log_errno(error, "the host does not give %llu MiB of %s memory: it offers no pages of %s", mib,
		                 kinds[b].name, kinds[b].page_words);
	free = free > promised ? free - promised : 0;
	if (free >= need) /* it is another limit */
		return log_errno(error, "the host does not give %llu MiB of %s memory", mib, kinds[b].name);
	log_error(
	    "the host does not give %llu MiB of %s memory: of %s pages its pool has %llu free, and %llu are wanted "
	    "(`echo %llu | sudo tee " POOL_PATH "`%s)",
	    mib, kinds[b].name, kinds[b].page_words, free, need, all + need - free,
	    (unsigned long long)(kinds[b].page >> 10), "nr_hugepages",
	    b == BACKING_HUGETLB1G ? "; where memory is too scattered for that, boot with hugepagesz=1G hugepages=N"
	                           : "");
	return -error;
}
