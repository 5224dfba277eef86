/* SPDX-License-Identifier: MIT */
/* The lock that covers the whole kernel. */
#ifndef GUEST_LOCK_H
#define GUEST_LOCK_H

#include <stdbool.h>
#include <stdint.h>

extern uint32_t kernel_locked;
extern uint32_t lock_waiters; /* a bit per CPU that sleeps until the lock is free */
extern bool device_waits;     /* a device's interrupt came while this CPU slept for the lock */
void lock_wait(void);
extern const char lock_awake[]; /* where a CPU that sleeps until the lock is free goes on */
void lock_wake(void);

static inline void kernel_lock(void)
{
	if (__atomic_exchange_n(&kernel_locked, 1, __ATOMIC_SEQ_CST))
		lock_wait();
}

static inline void kernel_unlock(void)
{
	/* An exchange, not a store: lock_waiters must be read after the lock is seen free. */
	__atomic_exchange_n(&kernel_locked, 0, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&lock_waiters, __ATOMIC_SEQ_CST))
		lock_wake();
}

#endif
