/* SPDX-License-Identifier: MIT */
/*
 * The architectural state of a virtual CPU, complete and the same in both modes: what a
 * save file holds, what a switch of modes carries over, what the trap code works on.
 * It is what the guest believes: `cpl` and RFLAGS.IF are the virtual ones, whatever
 * the real CPU runs with. Pending external vectors are the interrupt source's.
 */
#ifndef GNOMON_CPU_STATE_H
#define GNOMON_CPU_STATE_H

#include <gnomon/x86.h>
#include <stdbool.h>
#include <stdint.h>

/* Index into cpu_state.gpr: the number that an instruction's ModRM, SIB and REX encode. */
enum gpr {
	GPR_RAX,
	GPR_RCX,
	GPR_RDX,
	GPR_RBX,
	GPR_RSP,
	GPR_RBP,
	GPR_RSI,
	GPR_RDI,
	GPR_R8,
	GPR_R9,
	GPR_R10,
	GPR_R11,
	GPR_R12,
	GPR_R13,
	GPR_R14,
	GPR_R15,
	GPR_COUNT,
};

/* Index into cpu_state.seg; the first six by the number that instructions encode. */
enum segment {
	SEG_ES,
	SEG_CS,
	SEG_SS,
	SEG_DS,
	SEG_FS,
	SEG_GS,
	SEG_LDTR,
	SEG_TR,
	SEG_COUNT,
};

/* Segment attributes: bits 55-40 of a descriptor without the four limit bits, APM2 4.7-4.8. */
#define SEG_TYPE       0x000f
#define SEG_TYPE_A     (1 << 0) /* code and data: accessed */
#define SEG_TYPE_RW    (1 << 1) /* code: readable; data: writable; TSS: busy */
#define SEG_TYPE_CE    (1 << 2) /* code: conforming; data: expands down */
#define SEG_TYPE_CODE  (1 << 3)
#define SEG_S          (1 << 4) /* code or data, not a system segment */
#define SEG_DPL_SHIFT  5
#define SEG_DPL        (3 << SEG_DPL_SHIFT)
#define SEG_P          (1 << 7) /* present; clear means that the register holds a null selector */
#define SEG_AVL        (1 << 12)
#define SEG_L          (1 << 13) /* 64-bit code */
#define SEG_DB         (1 << 14)
#define SEG_G          (1 << 15)
#define SEG_ATTRIBUTES 0xf0ff

/* Types of system segments and gates in long mode, APM2 table 4-6. */
#define SEG_TYPE_LDT       0x2
#define SEG_TYPE_TSS       0x9
#define SEG_TYPE_TSS_BUSY  0xb
#define SEG_TYPE_CALL_GATE 0xc
#define SEG_TYPE_INTR_GATE 0xe
#define SEG_TYPE_TRAP_GATE 0xf

/* Bits of a selector, APM2 4.5.1. */
#define SELECTOR_RPL   0x3
#define SELECTOR_TI    0x4
#define SELECTOR_INDEX 0xfff8

/* RFLAGS bits that x86.h does not name, APM2 3.1.6. */
#define RFLAGS_CF (1 << 0)
#define RFLAGS_PF (1 << 2)
#define RFLAGS_AF (1 << 4)
#define RFLAGS_SF (1 << 7)
#define RFLAGS_OF (1 << 11)
#define RFLAGS_NT (1 << 14)
#define RFLAGS_RF (1 << 16)
#define RFLAGS_VM (1 << 17)
#define RFLAGS_VIRTUAL (3 << 19) /* VIF and VIP */
#define RFLAGS_ID (1 << 21)

#define RFLAGS_IOPL_SHIFT 12

/* Debug registers, APM2 13.1.1. */
#define DR6_BREAKPOINTS 0xf
#define DR6_BD      (1 << 13) /* an access to a debug register, DR7.GD */
#define DR6_BS      (1 << 14) /* single step */
#define DR6_FIXED   0xffff0ff0
#define DR7_FIXED   (1 << 10)
#define DR7_ENABLES 0xff
#define DR7_GD      (1 << 13)

struct cpu_segment {
	uint64_t base;
	uint32_t limit; /* in bytes, granularity applied */
	uint16_t selector;
	uint16_t attributes; /* SEG_* */
};

/* GDTR or IDTR. */
struct cpu_table {
	uint64_t base;
	uint16_t limit;
};

struct cpu_msrs {
	uint64_t star;
	uint64_t lstar;
	uint64_t cstar;
	uint64_t sfmask;
	uint64_t kernel_gs_base;
	uint64_t sysenter_cs;
	uint64_t sysenter_esp;
	uint64_t sysenter_eip;
	uint64_t tsc_aux;
	uint64_t pat;
};

struct cpu_state {
	uint64_t gpr[GPR_COUNT];
	uint64_t rip;
	uint64_t rflags; /* IF is the virtual one */
	struct cpu_segment seg[SEG_COUNT];
	struct cpu_table gdtr;
	struct cpu_table idtr;
	uint64_t cr0;
	uint64_t cr2;
	uint64_t cr3;
	uint64_t cr4;
	uint64_t cr8;
	uint64_t efer;
	uint64_t xcr0;
	uint64_t dr[8]; /* 4 and 5 unused */
	struct cpu_msrs msrs;
	uint8_t cpl;           /* virtual: 0 or 3 */
	bool interrupt_shadow; /* no external interrupt before the next instruction has run */
	bool halted;
};

#endif
