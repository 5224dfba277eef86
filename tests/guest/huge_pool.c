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

#define SIZE_FILE "/proc/sys/vm/nr_hugepages"
#define PAGE_KB   2048
#define MEMINFO   4096 /* bytes of /proc/meminfo: it has half of that, and one read gets all of it */

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

struct huge_pool huge_pool_look(void)
{
	char text[MEMINFO];

	read_meminfo(text);
	return (struct huge_pool){number_of(text, "HugePages_Free"), number_of(text, "HugePages_Rsvd")};
}

long huge_pool_available(void)
{
	const struct huge_pool p = huge_pool_look();

	return p.free - p.reserved;
}

void huge_pool_lock(void)
{
	lock_fd = open(SIZE_FILE, O_RDONLY | O_CLOEXEC);
	if (lock_fd < 0)
		cr_skip_test("%s: %s", SIZE_FILE, strerror(errno));
	cr_assert_eq(flock(lock_fd, LOCK_EX), 0);
}

/* Pages of the pool, those in use and those not. */
static long size_of_pool(void)
{
	char text[32] = "";

	cr_assert_gt(pread(lock_fd, text, sizeof(text) - 1, 0), 0);
	return strtol(text, NULL, 10);
}

/* 0, -errno, or -ENOMEM if it became less than that. */
static int resize(long n)
{
	FILE *f = fopen(SIZE_FILE, "we");
	bool bad;

	if (!f)
		return -errno;
	bad = fprintf(f, "%ld\n", n) < 0;
	if (fclose(f) == EOF || bad)
		return -errno;
	return size_of_pool() == n ? 0 : -ENOMEM;
}

void huge_pool_grow(long n)
{
	char text[MEMINFO];
	int r;

	read_meminfo(text);
	if (number_of(text, "Hugepagesize") != PAGE_KB)
		cr_skip_test("the host's huge pages are not of 2 MiB");
	huge_pool_lock();
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

void huge_pool_use_up(void)
{
	rest_size = huge_pool_available() * PAGE_KB * 1024;
	if (!rest_size)
		return;
	rest = mmap(NULL, rest_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	cr_assert_neq(rest, MAP_FAILED);
	cr_assert_eq(huge_pool_available(), 0);
}

void huge_pool_give_back(void)
{
	if (rest_size)
		munmap(rest, rest_size);
	rest_size = 0;
}
