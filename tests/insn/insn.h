/* SPDX-License-Identifier: MIT */
/*
 * What the program that runs instructions and the host-side checker agree on: where things lie, what a case holds,
 * what is recorded. The program (loop.c, enter.S) is the same code in the guest and in a process of the host; only
 * what takes its exceptions differs (guest.S, native.c).
 */
#ifndef INSN_H
#define INSN_H

/* Selectors of the guest's programs, known to guest.S, too. */
#define USER_CS 0x1b
#define USER_DS 0x23
#define TSS     0x28

/* Byte offsets in struct insn_case and struct trapped, for enter.S and guest.S. */
#define CASE_RSP    32
#define CASE_RFLAGS 128
#define CASE_RIP    136
#define CASE_HOW    240
#define CASE_FLIPS  248
#define T_RFLAGS    128
#define T_RIP       136
#define T_CS        144
#define T_SS        152
#define T_VECTOR    160
#define T_ERROR     168
#define T_CR2       176

/* What the program asks of its kernel: number in EAX, arguments in RDI and RSI, by an INT3 before `service_end`. */
#define SERVICE_ENTER  1 /* run `current`, with all flags: TF takes effect behind the instruction */
#define SERVICE_FLUSH  2 /* reload CR3 */
#define SERVICE_FORMER 3 /* the frame of PAGE_FORMER becomes a table, is used, and is none any more */
#define SERVICE_BASES  4 /* FS and GS as they were at the start */
#define SERVICE_PRINT  5 /* RDI: bytes, RSI: how many */
#define SERVICE_END    6
#define SERVICE_FALL   7 /* to be killed: the test of what a run that ends early looks like */

#define VECTOR_SYSCALL 256 /* SYSCALL came to LSTAR */

/*
 * Pages under test, one after the other, once below 2 GiB, where 32-bit addresses and displacements reach, and once
 * above. Both are the same memory.
 */
#define WINDOW_LOW  0x50000000
#define WINDOW_HIGH 0x2a5a00000000
#define TEST_PAGES  15
#define PAGE_DATA   1
#define PAGE_TABLE1 7
#define PAGE_TABLE2 9
#define PAGE_TABLE3 11
#define PAGE_FORMER 12
/* The word of a table page through which the program reaches memory; no case writes to it. */
#define LIVE_ENTRY 256
/* Where PAGE_FORMER is linked for a moment, in PAGE_TABLE2. */
#define FORMER_ENTRY 300
/* The tables under test map this word: PML4 slot 100 and entry LIVE_ENTRY of each level. */
#define LIVE_VA   0x324020100000
#define FORMER_VA 0x324025900000

/* Instructions. Pairs of pages with a hole behind each. */
#define CODE_VA      0x60000000
#define CODE_PAIR    0x3000
#define CODE_PAIRS   32
#define LANDING_VA   0x601f0000 /* a page of INT3 */
#define CASES_A_PAIR 126
#define BLOCK_CASES  (CASES_A_PAIR * CODE_PAIRS)
#define SLOT         64
#define INT3         0xcc
#define FS_BASE      (WINDOW_LOW + 0x2a40)
#define GS_BASE      (WINDOW_HIGH - 0x1590)

/* In the guest's physical memory. */
#define TEST_PHYS  0x1000000
#define TOUCH_PHYS (TEST_PHYS + TEST_PAGES * 4096) /* the page behind the tables under test */
#define BLOCK_PHYS 0x2000000

#define FPU_IMAGES 64
#define FPU_SMALL  48   /* from here on images whose vector lanes are small numbers, for VSIB */
#define FPU_BYTES  2752 /* XSAVE's standard format up to Hi16_ZMM, APM2 11.5.2 */
#define CHANGES    48   /* changed words that a result lists */

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

enum page_kind { PAGE_HOLE, PAGE_RW, PAGE_RO, PAGE_SUPERVISOR };

static const uint8_t page_kinds[TEST_PAGES] = {PAGE_HOLE,       PAGE_RW, PAGE_RW, PAGE_RO, PAGE_RW,
                                               PAGE_SUPERVISOR, PAGE_RW, PAGE_RW, PAGE_RW, PAGE_RW,
                                               PAGE_RW,         PAGE_RW, PAGE_RW, PAGE_RW, PAGE_HOLE};

/* How a case is run; bits. */
enum {
	HOW_SKIP = 1,      /* not on this side, or not any more */
	HOW_ENTER = 2,     /* by SERVICE_ENTER */
	HOW_FLUSH = 4,     /* SERVICE_FLUSH before: the tables under test are in step again */
	HOW_FORMER = 8,    /* SERVICE_FORMER before */
	HOW_SEGMENTS = 16, /* it may change segment registers: those are recorded, and put right */
	HOW_DETAIL = 32,   /* the whole result is printed behind its hash */
};

struct insn_case {
	uint64_t gpr[16]; /* in the order of their encoding */
	uint64_t rflags;
	uint64_t rip;
	uint64_t flags_mask; /* those that are compared */
	uint64_t patch_at;   /* an address in WINDOW_LOW; 0: nothing is patched */
	uint64_t patch[8];   /* what stands there before */
	uint64_t ignore_at;  /* an address in WINDOW_LOW */
	uint32_t ignore_len; /* so many bytes from there are not compared */
	uint32_t fpu;        /* which image is loaded */
	uint32_t how;
	uint32_t slot; /* in the block */
	/* Bits of CR0 and CR4 that are the other way in this case; with HOW_ENTER. */
	uint32_t flip_cr0, flip_cr4;
};
_Static_assert(offsetof(struct insn_case, gpr[4]) == CASE_RSP && offsetof(struct insn_case, rflags) == CASE_RFLAGS &&
                   offsetof(struct insn_case, rip) == CASE_RIP && offsetof(struct insn_case, how) == CASE_HOW &&
                   offsetof(struct insn_case, flip_cr0) == CASE_FLIPS,
               "enter.S");

/* As an exception left it. */
struct trapped {
	uint64_t gpr[16];
	uint64_t rflags, rip, cs, ss, vector, error, cr2;
	uint64_t selectors, fs_base, gs_base; /* DS, ES, FS, GS; with HOW_SEGMENTS */
};
_Static_assert(offsetof(struct trapped, rflags) == T_RFLAGS && offsetof(struct trapped, cr2) == T_CR2, "guest.S");

struct change {
	uint64_t at, value;
};

struct insn_result {
	struct trapped trapped;
	uint64_t changes; /* words of memory that are not what they were before the patch */
	struct change change[CHANGES];
	uint8_t fpu[FPU_BYTES] __attribute__((aligned(64)));
};

/* What is falsified, to see whether it is found. */
enum plant {
	PLANT_NONE,
	PLANT_FLAG,
	PLANT_REGISTER,
	PLANT_ERROR,
	PLANT_VECTOR,
	PLANT_RIP,
	PLANT_CR2,
	PLANT_MEMORY,
	PLANT_VECTOR_REGISTER,
	PLANT_FALL,
	PLANTS
};

#define BLOCK_MAGIC 0x6e736e692d6d6e67
#define FPU_RANGES  6

/* The head of what is handed to the program. Offsets count from here. */
struct block {
	uint64_t magic;
	uint32_t count;      /* of cases */
	uint32_t batch;      /* hashes are printed so many at a time */
	uint32_t plant;      /* enum plant */
	uint32_t plant_from; /* in the first case from this on where it can be seen */
	uint32_t code_pages;
	uint32_t unused;
	uint64_t xfeatures; /* what is loaded and saved by XSAVE; 0: FXSAVE */
	uint64_t fsgsbase;  /* both sides have RDFSBASE */
	struct {
		uint32_t at, len;
	} fpu_range[FPU_RANGES]; /* beyond x87 and XMM: compared parts of the save area; len 0: none */
	uint64_t touch;          /* a word behind the tables under test; 0 where there are none */
	uint64_t pages_at, fpu_at, cases_at, code_at, landing_at;
	uint64_t size;
};

/* The first thing that a run prints. */
struct hello {
	uint64_t magic;
	uint64_t xcr0; /* 0: no XSAVE in programs */
	uint64_t fsgsbase;
};

/* enter.S */
extern struct trapped trapped;
extern uint8_t saved_fpu[FPU_BYTES];
/* Runs a case until its exception, which lies in `trapped`, with the FPU's state in `saved_fpu`. */
void enter_case(const struct insn_case *c, const void *fpu, uint64_t xfeatures);
void service(uint64_t number, const void *a, uint64_t b);
uint64_t try_xgetbv(void);

/* loop.c: runs all cases of the block and prints their results. Does not return. */
void insn_loop(const struct block *b, uint64_t fsgsbase) __attribute__((noreturn));
#endif

#endif
