/* SPDX-License-Identifier: MIT */
#include "lock.h"

#include "device.h"
#include "kernel.h"

uint32_t kernel_locked, lock_waiters;
bool device_waits;

static __attribute__((noinline)) void sleep(void)
{
	__asm__ volatile("sti; hlt; .globl lock_awake; lock_awake: cli" : : : "memory");
}

/*
 * Takes the lock when it was not free at once. After a few attempts the CPU sleeps. If it kept spinning where there are
 * more virtual CPUs than host CPUs, the holder of the lock might not run.
 */
void lock_wait(void)
{
	struct cpu *cpu = this_cpu();

	for (int i = 0; i < 16; i++) {
		__builtin_ia32_pause();
		if (!__atomic_exchange_n(&kernel_locked, 1, __ATOMIC_SEQ_CST))
			return;
	}
	__atomic_fetch_or(&lock_waiters, 1u << cpu->id, __ATOMIC_SEQ_CST);
	cpu->in_lock_wait = true;
	/* Either this attempt sees the lock free, or the holder sees the bit and its IPI ends the HLT. */
	while (__atomic_exchange_n(&kernel_locked, 1, __ATOMIC_SEQ_CST))
		sleep();
	cpu->in_lock_wait = false;
	if (cpu->id == 0 && device_waits) {
		device_waits = false;
		device_interrupt();
	}
	device_preempt(); /* a wake-up for that ended the HLT as well */
	__atomic_fetch_and(&lock_waiters, ~(1u << cpu->id), __ATOMIC_SEQ_CST);
}

/*
 * Wakes one CPU that waits for the lock. Its bit stays set until it has the lock. If another CPU is faster, that one
 * wakes it again.
 */
void lock_wake(void)
{
	static uint32_t last;
	uint32_t waiters = __atomic_load_n(&lock_waiters, __ATOMIC_SEQ_CST);
	uint32_t id = __atomic_load_n(&last, __ATOMIC_RELAXED);

	if (!waiters)
		return;
	do {
		id = (id + 1) % NR_CPUS; /* in turn: none starves */
	} while (!(waiters >> id & 1));
	__atomic_store_n(&last, id, __ATOMIC_RELAXED);
	cpu_interrupt(id);
}
