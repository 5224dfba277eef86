/* SPDX-License-Identifier: MIT */
/*
 * A guest of its own that does one thing many times and measures the time: `gnomon bench --only costs`, `balloon`,
 * `walks`, `enclave`, `nano` and `miss`. It has no kernel and no protection. Both privilege levels can reach all of it.
 * cost_main() runs at CPL 3 and calls what has to run at CPL 0 through a breakpoint (entry.S).
 *
 *   0          loader                     all of memory is mapped at its own address, by 2 MiB pages
 *   2 MiB      this image, its tables
 *   64 MiB     FRAMES, 64 MiB             mapped again at REGION, as each row wants it
 *              the rows about the balloon have 192 MiB there, at its own address only
 *              enclaves that are built: requests there; pages from 128 MiB on, mapped at REGION + 128 MiB
 */
#ifndef GUEST_COST_H
#define GUEST_COST_H

#define COST_TABLES    32           /* leaf tables of REGION, 2 MiB each */
#define COST_TABLE_LEN 0x200000     /* what one of them maps */
#define COST_FRAMES    0x4000000    /* physical */
#define COST_REGION    0x8000000000 /* virtual: PML4 slot 1 */
#define COST_ARENA     0xc000000    /* bytes, of rows about the balloon */
#define COST_SINGLES   16384        /* every other page of half of it */
#define COST_BLOCKS    48           /* every other 2 MiB of it */
#define COST_MEMORY    0x10000000   /* all of it */
#define COST_VECTOR    0x30         /* of the row `interrupt` */
#define COST_USAGE     2            /* exit statuses */
#define COST_WRONG     3            /* the VMM did not do what it was asked for */
#define COST_CRASHED   4            /* an exception that nobody expects */

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>

#include "../arena.h"

/* tables.S */
extern uint64_t cost_pml4[2][512]; /* two roots of the same address space; [0] is in CR3 */
extern uint64_t cost_pd[512];      /* of REGION */
extern uint64_t cost_pt[COST_TABLES][512];

struct cost_job;

struct cost_row {
	const char *name;
	bool kernel;   /* runs at CPL 0 */
	uint32_t unit; /* operations come in multiples of this */
	uint32_t most; /* how many there can be in a run */
	/* At CPL 3, untimed. Prepares `most` operations, even if fewer are done. May be NULL. */
	void (*prepare)(uint32_t most);
	/* Operations from .. from + n - 1; n is a multiple of unit. */
	void (*run)(uint32_t from, uint32_t n);
	/* Afterwards. True if `n` operations did what they should. May be NULL. */
	bool (*check)(uint32_t n);
};

/* rows.c */
extern const struct cost_row cost_rows[];
extern const uint32_t cost_nr_rows;
extern volatile uint32_t cost_interrupts; /* how often COST_VECTOR came */

/* arena.c: blocks of a chase through `pages` pages of 4 KiB of the arena, mapped as `kind` says (guest/arena.h). */
noreturn void cost_arena(uint32_t pages, enum arena_kind kind);

/* region.c: the first `tables` leaf tables of REGION map FRAMES in order. */
void cost_map_region(uint32_t tables);
/* The same with these flags, and in falling order within each table, so that neither stage can make a large page of it.
 * The host provides the frames. */
void cost_map_falling(uint32_t tables, uint64_t flags);

/* say.c: fn(arg) at CPL 0 */
void cost_at_cpl0(void (*fn)(void *arg), void *arg);
/* A line for the console, and its parts. A number has 20 digits. The parts return the end. */
void cost_say(char *line);
char *cost_put_text(char *to, const char *text);
char *cost_put_number(char *to, const char *key, uint64_t v);

/* rows.c: `n` times the cheapest trap, `out` to the VMM's no-op port. `n` is a multiple of 8. */
void cost_floor(uint32_t n);
#endif

#endif
