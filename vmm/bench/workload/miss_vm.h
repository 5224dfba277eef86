/* SPDX-License-Identifier: MIT */
/*
 * A VM of this process whose guest chases through the arena (guest/arena.h), a block at a time. Between blocks its vCPU
 * waits in the benchmark's port.
 *
 * Threads: one caller. Errors are logged.
 */
#ifndef GNOMON_BENCH_WORKLOAD_MISS_VM_H
#define GNOMON_BENCH_WORKLOAD_MISS_VM_H

#include "../guest/arena.h"
#include "base/log.h"
#include "vm/paging.h"

struct miss_vm;

struct miss_vm_config {
	const struct paging_ops *paging;
	const char *image; /* cost.elf */
	void *arena;       /* at ARENA_AT, the caller's; outlives the VM */
	uint32_t pages;    /* of 4 KiB; the arena is as large, rounded up to 2 MiB */
	bool huge;         /* the guest maps it by 2 MiB pages */
};

/* Boots the guest, up to where it waits for its first block. NULL, logged. */
struct miss_vm *miss_vm_start(const struct miss_vm_config *config);

/* Has it do a block: fills in `tsc` and the line behind. -EIO: the guest came to an end; -ETIMEDOUT. Logged. */
int must_check miss_vm_run(struct miss_vm *m, struct arena_block *block);

/* How often its vCPU's thread lost the CPU to another thread against its will, so far. Where it waits. */
uint64_t miss_vm_disturbances(const struct miss_vm *m);

/* Exits so far. */
uint64_t miss_vm_exits(const struct miss_vm *m);

/* NULL is fine. */
void miss_vm_stop(struct miss_vm *m);

#endif
