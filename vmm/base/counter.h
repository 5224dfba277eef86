/* SPDX-License-Identifier: MIT */
/*
 * Event counters. One set per vCPU, written by its thread alone and read by anybody,
 * so an increment is a plain relaxed load and store. What no vCPU does counts in CPU 0's
 * set, each such counter by one thread, or under one lock, alone. A counter exists only with a
 * name and a description: both stand beside each other in counter.c.
 */
#ifndef GNOMON_BASE_COUNTER_H
#define GNOMON_BASE_COUNTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum counter {
	CTR_EXITS,
	CTR_EXIT_IO,
	CTR_EXIT_MMIO,
	CTR_EXIT_HLT,
	CTR_EXIT_IRQ_WINDOW,
	CTR_EXIT_INTR,
	CTR_EXIT_OTHER,
	CTR_CONSOLE_BYTES,
	CTR_PORT_UNCLAIMED,
	CTR_INTERRUPTS_INJECTED,
	CTR_KICKS_RECEIVED,
	CTR_REQUESTS,
	CTR_TRAP_PF,
	CTR_TRAP_GP,
	CTR_TRAP_UD,
	CTR_TRAP_SYSCALL,
	CTR_TRAP_OTHER,
	CTR_INSNS_EMULATED,
	CTR_EXCEPTIONS_INJECTED,
	CTR_SHADOW_FILLS,
	CTR_SHADOW_PREFETCHED,
	CTR_SHADOW_PREFETCHED_WATCHED,
	CTR_SHADOW_PREFETCHED_USED,
	CTR_SHADOW_AD_FAST,
	CTR_SHADOW_PAGES_BUILT,
	CTR_SHADOW_PAGES_IN_USE,
	CTR_SHADOW_EVICTIONS,
	CTR_SHADOW_ROOTS_HIT,
	CTR_SHADOW_ROOTS_MISSED,
	CTR_SHADOW_UNSYNCS,
	CTR_SHADOW_SYNCS,
	CTR_SHADOW_JOINS,
	CTR_SHADOW_PROMOTIONS,
	CTR_SHADOW_DEMOTIONS,
	CTR_SHADOW_TABLE_WRITES,
	CTR_SHADOW_WRITE_PROTECTS,
	CTR_SHADOW_STEPS,
	CTR_SHADOW_FLOODS,
	CTR_SHADOW_EDITS,
	CTR_SHADOW_INVALIDATIONS,
	CTR_SHADOW_DROPS,
	CTR_SHADOW_RECYCLES,
	CTR_SHADOW_SHOOTDOWNS,
	CTR_SHADOW_AUDITS,
	CTR_VIRTIO_NOTIFIES,
	CTR_VIRTIO_REFUSED,
	CTR_BALLOON_INFLATED,
	CTR_BALLOON_DEFLATED,
	CTR_BALLOON_REPORTED,
	CTR_BALLOON_RUNS,
	CTR_STAGE2_SPLITS,
	CTR_STAGE2_KEPT,
	CTR_STAGE2_REMOVED,
	CTR_STAGE2_RELEASED,
	CTR_STAGE2_COLLAPSES,
	CTR_STAGE2_SHOOTDOWNS,
	CTR_STAGE2_ACKS,
	CTR_STAGE2_SURRENDERED,
	CTR_STAGE2_VIOLATIONS,
	CTR_NR
};

struct counter_desc {
	const char *name; /* the key in every report */
	const char *unit;
	const char *what; /* one sentence */
};

extern const struct counter_desc counter_desc[CTR_NR];

struct counters {
	_Atomic uint64_t value[CTR_NR];
};

static inline void counter_add(struct counters *set, enum counter c, uint64_t n)
{
	uint64_t v = atomic_load_explicit(&set->value[c], memory_order_relaxed);

	atomic_store_explicit(&set->value[c], v + n, memory_order_relaxed);
}

static inline void counter_inc(struct counters *set, enum counter c)
{
	counter_add(set, c, 1);
}

static inline uint64_t counter_read(const struct counters *set, enum counter c)
{
	return atomic_load_explicit(&set->value[c], memory_order_relaxed);
}

/*
 * Whether it counts shadow events: each is work on shadow tables that neither a process nor a nested guest has. Not among
 * them: levels, what a fault does besides (prefetched entries), and exits.
 */
bool counter_is_shadow_event(enum counter c);

/* The sum of all shadow events. */
uint64_t counter_shadow_events(const struct counters *set);

#endif
