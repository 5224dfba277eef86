/* SPDX-License-Identifier: MIT */
#include "huge_pool_1g.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <gnomon/addr.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#define POOL     "/sys/kernel/mm/hugepages/hugepages-1048576kB/"
#define HUGE_1GB (30 << 26) /* mmap(2): MAP_HUGE_SHIFT */

static int lock_fd = -1;
static long old_size;
static void *rest;
static size_t rest_size;

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

/* As many pages as the host finds memory for. */
static void resize(long n)
{
	FILE *f = fopen(POOL "nr_hugepages", "we");

	if (!f)
		return;
	fprintf(f, "%ld\n", n);
	fclose(f);
}

void huge_pool_1g_grow(long n)
{
	lock_fd = open(POOL "nr_hugepages", O_RDONLY | O_CLOEXEC);
	if (lock_fd < 0)
		cr_skip_test("the host offers no pages of 1 GiB: %s", strerror(errno));
	cr_assert_eq(flock(lock_fd, LOCK_EX), 0);
	old_size = number_in(POOL "nr_hugepages");
	resize(old_size + n);
	if (huge_pool_1g_available() >= n)
		return;
	huge_pool_1g_restore();
	cr_skip_test("the host adds no %ld pages to its pool of 1 GiB pages", n);
}

void huge_pool_1g_restore(void)
{
	huge_pool_1g_give_back();
	if (lock_fd < 0)
		return;
	resize(old_size);
	cr_expect_eq(number_in(POOL "nr_hugepages"), old_size, "the pool keeps another size than it had");
	close(lock_fd);
	lock_fd = -1;
}

long huge_pool_1g_available(void)
{
	return number_in(POOL "free_hugepages") - number_in(POOL "resv_hugepages");
}

void huge_pool_1g_use_up(void)
{
	rest_size = huge_pool_1g_available() * PAGE_1G;
	if (!rest_size)
		return;
	rest = mmap(NULL, rest_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | HUGE_1GB, -1, 0);
	cr_assert_neq(rest, MAP_FAILED);
	cr_assert_eq(huge_pool_1g_available(), 0);
}

void huge_pool_1g_give_back(void)
{
	if (rest_size)
		munmap(rest, rest_size);
	rest_size = 0;
}
