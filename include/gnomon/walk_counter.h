/* SPDX-License-Identifier: MIT */
/*
 * The walk counter of tools/ept-host: the emulated CPU reports each access of its page walker, and the counter adds
 * them up between two marks. Shared by the counter (tools/emulated/ept/), by programs that are measured, and by those
 * that read it.
 *
 * A mark is a PREFETCHT0 of a fixed linear address. It works at any CPL, never faults and never leaves a guest, and on
 * any other machine it does nothing. After WALK_MARK_START the next two hints of the same CPU give the range of linear
 * addresses whose walks are wanted: its first byte, and the first one beyond. The counts stay until the next start.
 *
 * All walks of all CPUs and processes count, whoever asked for it: whoever wants his own alone chooses addresses that
 * nobody else has. A walk is wanted when a load or a store of the range uses what it found. One for a fetch of code, a
 * prefetch or CLFLUSH counts as another one, wherever it leads: the CPU reports the use of loads and stores only.
 *
 * A 32-bit write to WALK_PORT chooses a word of struct walk_counts by its number, a 32-bit read gives that word and
 * goes on to the next. Without a counter the port reads as all ones. Append-only.
 */
#ifndef GNOMON_WALK_COUNTER_H
#define GNOMON_WALK_COUNTER_H

#include <stdint.h>

#define WALK_MARK_STOP  0x7ead0000ul
#define WALK_MARK_START 0x7ead0100ul
#define WALK_MARK_SAVE  0x7ead0200ul /* tools/ept-host's own: the machine's state is saved, and it ends */
#define WALK_PORT       0x6e00

#define WALK_MAGIC     0x314b4c4157574e47ull /* "GNWWALK1" */
#define WALK_MAX_READS 47
#define WALK_NR_EXITS  96

/* What became of a walk. */
enum walk_end {
	WALK_WANTED, /* it translated a load's or a store's address in the range */
	WALK_OTHER,  /* it translated another one: code, the stack, the host's own */
	WALK_DENIED, /* a page fault or a violation of the second stage ended it, at any address */
	WALK_NR_ENDS
};

/* Tables by the level of the entry that was read. */
enum walk_table {
	WALK_PTE,
	WALK_PDE,
	WALK_PDPTE,
	WALK_PML4E,
	WALK_SECOND_PTE, /* the second stage's */
	WALK_SECOND_PDE,
	WALK_SECOND_PDPTE,
	WALK_SECOND_PML4E,
	WALK_NR_TABLES
};

struct walk_counts {
	uint64_t magic;
	uint32_t size;      /* bytes of this structure */
	uint32_t intervals; /* starts since the machine's own; odd things can be seen from it */
	uint32_t running;   /* 1 between start and stop */
	uint32_t reserved;
	/* walks[end][dimensions - 1][reads]: how many walks made so many reads; the last counts more, too. */
	uint64_t walks[WALK_NR_ENDS][2][WALK_MAX_READS + 1];
	uint64_t reads[WALK_NR_ENDS][WALK_NR_TABLES];
	uint64_t writes[WALK_NR_TABLES]; /* accessed and dirty bits, of all walks */
	uint64_t exits[WALK_NR_EXITS];   /* VM exits by basic reason (SDM 3D appendix C) */
};

static inline void walk_hint(uintptr_t at)
{
	__asm__ volatile("prefetcht0 (%0)" : : "r"(at) : "memory");
}

/* Counting begins, for walks that translate [first, first + bytes). */
static inline void walk_start(const void *first, uint64_t bytes)
{
	walk_hint(WALK_MARK_START);
	walk_hint((uintptr_t)first);
	walk_hint((uintptr_t)first + bytes);
}

static inline void walk_stop(void)
{
	walk_hint(WALK_MARK_STOP);
}

#endif
