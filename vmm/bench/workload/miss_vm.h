/* SPDX-License-Identifier: MIT */
/*
 * A VM of this process whose guest chases through the arena (guest/arena.h), a block at a time. Between blocks its vCPU
 * waits in the benchmark's port.
 *
 * Threads: one caller. Errors are logged.
 */
#ifndef GNOMON_BENCH_WORKLOAD_MISS_VM_H
#define GNOMON_BENCH_WORKLOAD_MISS_VM_H

#include "base/log.h"
#include "bench/workload/miss.h"
#include "bench/workload/miss_hand.h"
#include "vm/paging.h"

struct miss_vm;

struct miss_vm_config {
	const struct paging_ops *paging;
	const char *image; /* cost.elf */
	void *arena;       /* at ARENA_AT, the caller's; outlives the VM */
	uint64_t bytes;    /* its length */
	enum arena_kind kind; /* how the guest maps it */
};

/* Boots the guest, up to where it waits for its first block. NULL, logged. */
struct miss_vm *miss_vm_start(const struct miss_vm_config *config);

/* Has it do a block: fills in `tsc` and the line behind. -EIO: the guest came to an end; -ETIMEDOUT. Logged. */
int must_check miss_vm_run(struct miss_vm *m, struct arena_block *block);

/* References of walks to these `n` pages, all in all: model/walk_live.h. None where the second stage is not known. */
struct walk_refs miss_vm_refs(struct miss_vm *m, const uint64_t *pages, size_t n);

/* The vCPU's thread, for what it counted. */
struct miss_hand *miss_vm_hand(struct miss_vm *m);

/* Exits so far. */
uint64_t miss_vm_exits(const struct miss_vm *m);
/* And of its shadow events (base/counter.h). */
uint64_t miss_vm_shadow_events(const struct miss_vm *m);

/* NULL is fine. */
void miss_vm_stop(struct miss_vm *m);

#endif
