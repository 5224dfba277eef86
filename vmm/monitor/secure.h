/* SPDX-License-Identifier: MIT */
/*
 * Secure memory as the host provides it: `claim`, `populate` and `discard` of struct enclaves_config (enclave/enclave.h),
 * whose `ctx` is the memory. Threads: callers hold whatever guards the enclaves.
 */
#ifndef GNOMON_MONITOR_SECURE_H
#define GNOMON_MONITOR_SECURE_H

#include <gnomon/addr.h>
#include <stdbool.h>

/* Maps `size` bytes of zeroes, private to this process and in no core dump. NULL, with errno. */
void *secure_map(uint64_t size);
void secure_unmap(void *memory, uint64_t size);

/*
 * Whole blocks of 2 MiB in the run may come as huge pages: one fault and one zeroing for 512 frames, and one entry of
 * KVM's tables. A run that has none gets pages of 4 KiB, so that a small enclave takes no more than it has.
 */
void secure_claim(void *memory, maddr_t at, uint64_t size);

/* Or each page costs a fault. */
void secure_populate(void *memory, maddr_t at, uint64_t size);

/* Locked memory goes since Linux 5.18. Before that it stays, and false tells the caller to erase it. */
bool secure_discard(void *memory, maddr_t at, uint64_t size);

#endif
