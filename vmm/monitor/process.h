/* SPDX-License-Identifier: MIT */
/* The monitor's process: what it shares with the VMM, and its life. */
#ifndef GNOMON_MONITOR_PROCESS_H
#define GNOMON_MONITOR_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "monitor/abi.h"

#define MONITOR_SLOTS_MAX 65 /* vCPUs, and one more */

/* Mapped before the fork, and shared by it. */
struct monitor_shared {
	_Atomic uint32_t ready;                 /* a futex: 1, the monitor serves; 2, it could not start */
	_Atomic int32_t tid[MONITOR_SLOTS_MAX]; /* of the thread that serves a slot, to be signalled */
	uint8_t public_key[32];
	bool locked;
	struct monitor_slot slot[];
};

struct monitor_process_config {
	pid_t parent; /* before the fork */
	uint64_t memory;
	int levels;
	int slots;
	uint8_t *buffers;
	struct monitor_shared *shared;
};

/* Sleeps while *word is `value`, at most `ms` milliseconds (-1: for ever); wakes whoever sleeps. Across processes. */
void monitor_futex_wait(_Atomic uint32_t *word, uint32_t value, int ms);
void monitor_futex_wake(_Atomic uint32_t *word);

/* Waits until it is no longer `value`; for a while without sleep. False: `ms` milliseconds went by. */
bool monitor_await(_Atomic uint32_t *word, uint32_t value, int ms);

/* The signal that takes a monitor's thread out of an enclave. */
int monitor_signal(void);

/* In the child of a fork: serves the slots until it is killed, or its parent has gone. */
_Noreturn void monitor_process(const struct monitor_process_config *config);

#endif
