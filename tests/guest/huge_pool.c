/* SPDX-License-Identifier: MIT */
#include "huge_pool.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#define POOL_1G  "/sys/kernel/mm/hugepages/hugepages-1048576kB/"
#define HUGE_1GB (30 << 26) /* mmap(2): MAP_HUGE_SHIFT */
#define MEMINFO  4096       /* bytes of /proc/meminfo: it has half of that, and one read gets all of it */

static const char *size_file; /* of the pool that is locked */
static int lock_fd = -1;
static long old_size = -1; /* pages; -1: not changed */
static void *rest;
static size_t rest_size;

/* What stands behind "KEY:"; -1: nothing. */
static long number_of(const char *text, const char *key)
{
	const size_t len = strlen(key);

	for (const char *at = text; (at = strstr(at, key)); at += len)
		if ((at == text || at[-1] == '\n') && at[len] == ':')
			return strtol(at + len + 1, NULL, 10);
	return -1;
}

/* All at one time: a guest that touches a promised page meanwhile changes two numbers at once. */
static void read_meminfo(char text[MEMINFO])
{
	const int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	cr_assert_geq(fd, 0);
	n = read(fd, text, MEMINFO - 1);
	cr_assert(n > 0 && n < MEMINFO - 1, "%zd bytes", n);
	text[n] = 0;
	close(fd);
}

static long number_in(const char *path)
{
	FILE *f = fopen(path, "re");
	long n = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%ld", &n) != 1)
		n = -1;
	fclose(f);
	return n;
}

struct huge_pool huge_pool_look(uint64_t page)
{
	char text[MEMINFO];

	if (page == PAGE_1G)
		return (struct huge_pool){number_in(POOL_1G "free_hugepages"), number_in(POOL_1G "resv_hugepages")};
	read_meminfo(text);
	return (struct huge_pool){number_of(text, "HugePages_Free"), number_of(text, "HugePages_Rsvd")};
}

long huge_pool_available(uint64_t page)
{
	const struct huge_pool p = huge_pool_look(page);

	return p.free - p.reserved;
}

void huge_pool_lock(uint64_t page)
{
	size_file = page == PAGE_1G ? POOL_1G "nr_hugepages" : "/proc/sys/vm/nr_hugepages";
	lock_fd = open(size_file, O_RDONLY | O_CLOEXEC);
	if (lock_fd < 0)
		cr_skip_test("%s: %s", size_file, strerror(errno));
	cr_assert_eq(flock(lock_fd, LOCK_EX), 0);
}

/* Pages of the pool, those in use and those not. */
static long size_of_pool(void)
{
	return number_in(size_file);
}

/* 0, -errno, or -ENOMEM if it became less than that. */
static int resize(long n)
{
	FILE *f = fopen(size_file, "we");
	bool bad;

	if (!f)
		return -errno;
	bad = fprintf(f, "%ld\n", n) < 0;
	if (fclose(f) == EOF || bad)
		return -errno;
	return size_of_pool() == n ? 0 : -ENOMEM;
}

/* In files of /proc only pages of the host's usual size count. */
static void need_usual_size_2m(void)
{
	char text[MEMINFO];

	read_meminfo(text);
	if (number_of(text, "Hugepagesize") != PAGE_2M / 1024)
		cr_skip_test("the host's huge pages are not of 2 MiB");
}

void huge_pool_grow(uint64_t page, long n)
{
	int r;

	if (page == PAGE_2M)
		need_usual_size_2m();
	huge_pool_lock(page);
	old_size = size_of_pool();
	r = resize(old_size + n);
	if (r == 0)
		return;
	huge_pool_restore();
	cr_skip_test("the host adds no %ld pages to its pool of huge pages: %s", n, strerror(-r));
}

void huge_pool_restore(void)
{
	huge_pool_give_back();
	if (lock_fd < 0)
		return;
	if (old_size >= 0 && size_of_pool() != old_size)
		cr_expect_eq(resize(old_size), 0, "the pool of huge pages keeps another size than it had");
	close(lock_fd);
	lock_fd = -1;
	old_size = -1;
}

void huge_pool_use_up(uint64_t page)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | (page == PAGE_1G ? HUGE_1GB : 0);

	rest_size = huge_pool_available(page) * page;
	if (!rest_size)
		return;
	rest = mmap(NULL, rest_size, PROT_READ, flags, -1, 0);
	cr_assert_neq(rest, MAP_FAILED);
	cr_assert_eq(huge_pool_available(page), 0);
}

void huge_pool_give_back(void)
{
	if (rest_size)
		munmap(rest, rest_size);
	rest_size = 0;
}
