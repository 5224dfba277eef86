/* SPDX-License-Identifier: MIT */
/*
 * The host's pool of 2 MiB pages (hugetlb), for tests that reserve some of it and look at what becomes of them. There
 * is one for the whole host: so whoever changes it holds a lock meanwhile, and puts the old number back.
 */
#ifndef TESTS_GUEST_HUGE_POOL_H
#define TESTS_GUEST_HUGE_POOL_H

/* HugePages_Free and HugePages_Rsvd of /proc/meminfo: pages that hold nothing; and how many of these are promised. */
struct huge_pool {
	long free, reserved;
};

struct huge_pool huge_pool_look(void);

/* What others can have. */
long huge_pool_available(void);

/* None of these tests changes the pool from here on: until huge_pool_restore(), or the test's end. */
void huge_pool_lock(void);

/* Locks, and adds `n` pages. Skips the test where that is not possible, with the reason. */
void huge_pool_grow(long n);

/* The pool has its old size again, and whoever waits may go on. Nothing if it was not locked. */
void huge_pool_restore(void);

/* As another process would: has the pool promise all that is available, and gives it back. */
void huge_pool_use_up(void);
void huge_pool_give_back(void);

#endif
