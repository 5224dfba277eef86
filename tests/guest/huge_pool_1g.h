/* SPDX-License-Identifier: MIT */
/* The host's pool of 1 GiB pages, as huge_pool.h has it for those of 2 MiB: few hosts find memory for one, so most skip. */
#ifndef TESTS_GUEST_HUGE_POOL_1G_H
#define TESTS_GUEST_HUGE_POOL_1G_H

/* Locks, and adds `n` pages. Skips the test where that is not possible, with the reason. */
void huge_pool_1g_grow(long n);

/* The pool has its old size again, and whoever waits may go on. Nothing if it was not locked. */
void huge_pool_1g_restore(void);

/* What others can have: free, and not promised. */
long huge_pool_1g_available(void);

/* As another process would: has the pool promise all that is available, and gives it back. */
void huge_pool_1g_use_up(void);
void huge_pool_1g_give_back(void);

#endif
