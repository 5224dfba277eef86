/* SPDX-License-Identifier: MIT */
/*
 * The random guest: one to four CPUs change page tables, CPU modes and TLBs at random, touch memory through them, and
 * compare what happens with a model in software. A throw of the dice decides on a few steps; what it decides follows
 * from the seed, the stream (one for each arena), the throw's number, and what the arena holds.
 *
 *   entry.S    the way in, the access instructions at both privilege levels, the way back from a fault
 *   machine.c  descriptor tables, control registers, the other CPUs
 *   arena.c    memory that is tables and data at once, what it must hold, and what changed since when
 *   predict.c  the walk: what an access may end in, from the manual and the arena
 *   ops.c      the instructions that store, in the model
 *   access.c   one access for real, compared with the prediction
 *   report.c   the last steps, and a difference in words
 *   entries.c  which values are stored where
 *   steps.c    the dice
 *   scenes.c   sequences of steps that chance would hardly find
 *   main.c     arguments, and who steps when
 *
 * An arena is 4 MiB of physical memory. Each of its words holds a page-table entry that leads to a frame of the same
 * arena or nowhere, so that any frame can serve as table of any level and as data at the same time, and any walk ends
 * inside. Each CPU has an arena of its own; in the last one they take turns, in an order that the seed gives.
 */
#ifndef STRESS_H
#define STRESS_H

/* Selectors, known to entry.S, too. */
#define USER_CS 0x1b
#define USER_DS 0x23
#define TSS     0x28

#define NO_VECTOR 255 /* the access went through, at CPL 0 */

/* A CPU's area is aligned to its size: struct cpu first, its stacks at the end. */
#define AREA_BYTES    0x10000
#define MAX_CPUS      4
#define TRAP_BYTES    0x1000 /* the last part: where CPL 3 traps to */
#define CPU_CALLER    0
#define CPU_VECTOR    8
#define CPU_ERROR     16
#define CPU_RIP       24
#define CPU_RAX       32
#define CPU_RCX       40
#define CPU_RDX       48
#define CPU_RSI       56
#define CPU_RDI       64
#define CPU_AC        72
#define OP_BYTES      16   /* from one instruction to the next */
#define SOURCE_OFFSET 3072 /* in the page that CPL 3 may use: what movs copies */

#define AC_NEVER 0
#define AC_POPF  1
#define AC_STAC  2

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../bare/bare.h"

#define MAX_ARENAS   (MAX_CPUS + 1)
#define SHARED       cpus /* the arena that all use; below it each has its own */
#define ARENA_SHIFT  22
#define ARENAS_BASE  0x2000000 /* physical, beyond the image; a multiple of 16 MiB */
#define FRAMES       1024      /* of an arena */
#define BLOCK_FRAMES 512       /* of a 2 MiB page */
#define SLOTS        8         /* words of a frame that are used; also: indices of a table that addresses are made of */
#define ROOTS        4         /* frames 0 to 3 are what CR3 may hold */
#define PAGES        (SLOTS * SLOTS * SLOTS * SLOTS)
#define CHANGES      24 /* remembered changes that a TLB may not have seen */
#define ENDS         16 /* different ends of one access */
#define FAVOURITES   6
#define HISTORY      24

#define KERNEL_SLOT 0 /* words 0 and 1 of each root: the kernel's memory, the page of CPL 3's instructions */
#define USER_SLOT   1
#define CODE_SLOT   2  /* words 2 and 3 of every frame: code that tells the frame's number, for CPL 0 and 3 */
#define ANCHOR_SLOT 40 /* leads to a page that never changes, whatever stands beside it */
#define USER_VA     (1ull << 39)

/* Instructions; the order is that of entry.S. Each has four widths. */
enum op {
	OP_READ,
	OP_MOV,
	OP_XCHG,
	OP_CMPXCHG,
	OP_LOCK_CMPXCHG,
	OP_AND,
	OP_OR,
	OP_XOR,
	OP_ADD,
	OP_SUB,
	OP_LOCK_AND,
	OP_LOCK_OR,
	OP_LOCK_XOR,
	OP_LOCK_ADD,
	OP_LOCK_SUB,
	OP_INC,
	OP_DEC,
	OP_LOCK_INC,
	OP_LOCK_DEC,
	OP_XADD,
	OP_BTS,
	OP_BTR,
	OP_LOCK_BTS,
	OP_LOCK_BTR,
	OP_STOS,
	OP_REP_STOS,
	OP_MOVS,
	OP_REP_MOVS,
	OP_FETCH,
	OPS
};

struct mode {
	bool wp, nxe, smep, smap, pge;
};

/* A word of an arena: frame * SLOTS + slot. */
typedef uint32_t word_t;

/* A word held `old` from one time to another. */
struct change {
	word_t word;
	uint32_t from, time;
	uint64_t old;
};

/* What one CPU's TLB may hold of an arena: nothing older than these times. */
struct tlb {
	uint32_t full; /* translations that are not global */
	uint32_t global;
	uint32_t page[PAGES];
	uint32_t left[ROOTS]; /* when the CPU left this root */
	unsigned root;
};

/* An access */
struct access {
	bool user;
	enum op op;
	unsigned width;  /* 0 to 3: 1 to 8 bytes */
	unsigned page;   /* its digits to the base SLOTS are the slots at levels 4 to 1 */
	unsigned offset; /* slot * 8 + byte */
	bool ac;
	uint64_t rax, rcx, rdx;
};

/* One step, for people. */
struct record {
	const char *what;
	uint64_t throw;
	uint64_t a, b;
	uint8_t cpu;
	bool is_access;
	struct access access;
};

struct arena {
	unsigned id;
	uint64_t base;                 /* physical */
	uint64_t want[FRAMES][SLOTS];  /* what memory must hold */
	uint32_t since[FRAMES][SLOTS]; /* when it was stored */
	uint32_t time;
	struct change change[CHANGES];
	unsigned changes;
	struct tlb tlb[MAX_CPUS];
	uint16_t home[5][24]; /* frames by the level of the table that they mostly are; 0: data */
	unsigned homes[5];
	uint16_t favourite[FAVOURITES];
	uint64_t throw, rng;
	uint64_t steps;                 /* done so far */
	struct record history[HISTORY]; /* the last of them */
};

struct cpu {
	/* Known to entry.S; of the access in and out. */
	uint64_t caller, vector, error, rip, rax, rcx, rdx, rsi, rdi, ac;

	unsigned id;
	struct mode mode;
	struct arena *arena; /* in whose tables CR3 is */
	uint64_t request;    /* of another CPU: see machine.c */
	struct access asked; /* with it, the access that it asks for, or a store alone */
	uint64_t asked_address, asked_value;
	uint64_t cr0, cr4, efer;
	uint64_t gdt[7], idt[64];
	uint8_t tss[104];
	uint64_t anchor; /* what this CPU last wrote to its anchor word */
};
_Static_assert(offsetof(struct cpu, ac) == CPU_AC, "entry.S");

/* Where an access may end */
struct end {
	bool fault;
	bool now; /* each entry as it is in memory now */
	bool old; /* an entry as it was */
	uint32_t error;
	unsigned frame;  /* where it leads to */
	unsigned length; /* of the path */
	word_t path[4];
};

struct options {
	uint64_t seed, steps;
	uint64_t trace_stream, trace_from, trace_to; /* throws to be printed; stream: the arena's number */
	uint64_t ac;                                 /* how the kernel sets RFLAGS.AC, which lets it through SMAP */
	/*
	 * What QEMU leaves out of error codes: W where an instruction reads what it writes; P where bits must be 0, and
	 * it sets A there.
	 */
	bool qemu, qemu_npt;
	/*
	 * Where KVM keeps shadow tables for nested mode: without WP an access with AC opens the page to those without;
	 * and they outlast a change of NXE. Neither is done then.
	 */
	bool kvm_shadow;
};

extern struct options options;
extern struct arena arenas[MAX_ARENAS];
extern unsigned cpus; /* that the machine has, as far as they are used */
extern int maxphyaddr;
extern bool upper_global_reserved; /* G in an entry of level 4 */
extern const uint16_t slot_index[SLOTS];

/* machine.c */
extern uint64_t boot_cr3;
struct cpu *cpu_area(unsigned id);
void machine_init(void);
void cpu_init(struct cpu *cpu);
void cpu_start(unsigned id);
void cpu_set_mode(struct cpu *cpu, const struct mode *mode);
void cpu_load_cr3(uint64_t cr3);
void cpu_invlpg(uint64_t va);
/* Forgets all translations, global ones too. */
void cpu_flush(struct cpu *cpu);
/* Makes all other CPUs forget one page's translation, or all (page PAGES), and waits until they did. */
void cpu_shoot_down(struct cpu *cpu, unsigned page);
/* Has another CPU make an access, through the translations that it has, and waits until it did. */
void cpu_ask(struct cpu *cpu, struct cpu *other, const struct access *access, uint64_t value);
/* Has it store there, in the same way, without any check. */
void cpu_ask_store(struct cpu *cpu, struct cpu *other, uint64_t address, uint64_t value);
/* Does what another CPU asked for. */
void cpu_poll(struct cpu *cpu);

/* arena.c */
void arena_init(struct arena *a, unsigned id, uint64_t base);
/* Finds out what CPUs differ in. */
void arena_probe(struct cpu *cpu);
uint64_t page_address(unsigned page);
unsigned page_slot(unsigned page, int level);
volatile uint64_t *word_pointer(const struct arena *a, word_t word);
uint64_t *want_pointer(struct arena *a, word_t word);
uint64_t frame_code(const struct arena *a, unsigned frame, bool user);
uint32_t frame_tag(const struct arena *a, unsigned frame);
bool value_is_safe(const struct arena *a, uint64_t value);
/* The word changes from want to `now` by a store, of which TLBs do not know. */
void arena_store(struct arena *a, word_t word, uint64_t now);
/* The model's side of flushes; the caller does them for real. */
void arena_flushed(struct arena *a, unsigned cpu, bool global_too);
void arena_invalidated(struct arena *a, unsigned cpu, unsigned page);
/* Another of the arena's roots. */
void arena_switch_root(struct cpu *cpu, unsigned root);
/* All CPUs that use the arena forget all translations. */
void arena_flush_all(struct cpu *cpu);
/* Enters a root of the arena, from wherever the CPU is. */
void arena_enter(struct cpu *cpu, struct arena *a, unsigned root);
/* Keeps room for `n` changes: makes CPUs flush if need be. */
void arena_reserve(struct cpu *cpu, unsigned n);
/* Compares memory with what it must hold; ends the guest if it differs. */
void arena_check(struct cpu *cpu, struct arena *a, unsigned frames);
void arena_check_anchor(struct cpu *cpu);

/*
 * predict.c. How many ends the access may have, the one that the tables give now first; 0: too many to tell. Exact: no
 * older translation can be in use, so that A and D are known as well.
 */
unsigned predict(const struct cpu *cpu, const struct access *access, struct end ends[ENDS], bool *ret_exact);

/* ops.c */
bool op_writes(enum op op);
/* It reads what it writes, which emulators do as two accesses. */
bool op_reads_first(enum op op);
/* Bytes of memory from the operand on. */
unsigned op_span(const struct access *access);
/* Operands with which `memory`, 64 bytes of a frame, becomes `value` in the words concerned, as far as the op can. */
void op_choose(struct arena *a, struct access *access, const uint8_t *memory, uint64_t value);
/* What the instruction makes of the 64 bytes; `source` is as long. Returns what it leaves in the low bytes of RAX. */
uint64_t op_apply(const struct access *access, uint8_t *memory, const uint8_t *source);
extern const char *const op_names[OPS];

/* access.c */
/* A store to a word of the arena, through the kernel's own mapping; `value` is what the word shall become. */
void access_direct(struct cpu *cpu, struct access *access, word_t word, uint64_t value);
/* An access through the arena's tables; `value` likewise. False: not made, for it could end in too many ways. */
bool access_paged(struct cpu *cpu, struct access *access, uint64_t value);

/* A read and a store by the kernel, of which nothing is predicted. False: it faulted. */
bool access_reads(struct cpu *cpu, uint64_t va, uint64_t *ret_value);
bool access_stores(struct cpu *cpu, uint64_t va, uint64_t value);

/* report.c */
/* Remembers what was done, and prints it if it is to be traced. */
void arena_record(struct cpu *cpu, const char *what, uint64_t a, uint64_t b);
/* `error`: of the fault, or ~0. */
void arena_record_access(struct cpu *cpu, const struct access *access, uint64_t error);
/* Prints a difference: what was predicted, what came, and the tables on the way; ends the guest. */
void report_access(struct cpu *cpu, const struct access *access, const struct end *ends, unsigned count, bool exact)
    __attribute__((noreturn));
/* Prints where and when, the last steps, and ends the guest. */
void fail(struct cpu *cpu, const char *what) __attribute__((noreturn));

/* entries.c */
uint64_t mix(uint64_t z);
/* From 0 to sides - 1, for this step of the arena. */
uint64_t dice(struct arena *a, unsigned sides);
uint64_t make_value(struct arena *a, int level);
uint64_t vary_value(struct arena *a, uint64_t old, int level);
unsigned pick_frame(struct arena *a, int level);

/* steps.c */
void throw_dice(struct cpu *cpu);
/* An access of any kind to a page. */
void step_touch(struct cpu *cpu, unsigned page);
/* The CPU forgets the translation of a page; in the shared arena, everywhere: the others, too. */
void step_invalidate(struct cpu *cpu, unsigned page);
void step_invalidate_everywhere(struct cpu *cpu, unsigned page);

/* scenes.c: with a page of the arena that the CPU is in; before another CPU is started, scenes_init() */
void scenes_init(void);
void scene_link_anew(struct cpu *cpu, unsigned page);
void scene_bystander(struct cpu *cpu, unsigned page);
#endif

#endif
