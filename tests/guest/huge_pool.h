/* SPDX-License-Identifier: MIT */
/*
 * The host's pools of 2 MiB and of 1 GiB pages (hugetlb), for tests that reserve some pages and look at what becomes of
 * them. There is one of each for the whole host: whoever changes it holds a lock meanwhile, and puts the old number
 * back. `page` is the size, PAGE_2M or PAGE_1G. Few hosts find memory for a page of 1 GiB, so most skip.
 */
#ifndef TESTS_GUEST_HUGE_POOL_H
#define TESTS_GUEST_HUGE_POOL_H

#include <gnomon/addr.h>

/* Pages that hold nothing, and how many of these are promised. */
struct huge_pool {
	long free, reserved;
};

/* Of 2 MiB pages both numbers are of one moment. */
struct huge_pool huge_pool_look(uint64_t page);

/* What others can have: free, and not promised. */
long huge_pool_available(uint64_t page);

/* None of these tests changes the pool from here on: until huge_pool_restore(), or the test's end. */
void huge_pool_lock(uint64_t page);

/* Locks, and adds `n` pages. Skips the test where that is not possible, with the reason. */
void huge_pool_grow(uint64_t page, long n);

/* The pool has its old size again, and whoever waits may go on. Nothing if none was locked. */
void huge_pool_restore(void);

/* As another process would: has the pool promise all that is available, and gives it back. */
void huge_pool_use_up(uint64_t page);
void huge_pool_give_back(void);

#endif
