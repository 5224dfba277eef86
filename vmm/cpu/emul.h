/* SPDX-License-Identifier: MIT */
/*
 * Inside the emulator (emulate.c, emul_*.c): one instruction in flight, its operands, and the handlers. Handlers
 * work on a copy of the state with RIP already at the next instruction and return as struct trap_env says, or
 * -EOPNOTSUPP through emul_unsupported().
 */
#ifndef GNOMON_CPU_EMUL_H
#define GNOMON_CPU_EMUL_H

#include "cpu/decode.h"
#include "cpu/emulate.h"
#include "cpu/env.h"

struct emul;

/* One arithmetic or bit operation of `bits` width: dst op src -> result, and rflags changed accordingly. */
struct alu {
	uint64_t dst;
	uint64_t src;
	uint64_t result;
	uint64_t rflags;
	unsigned bits;
};
typedef void alu_fn(struct alu *alu);
typedef int emul_fn(struct emul *e);

struct emul_handler {
	emul_fn *run;
	alu_fn *alu;    /* for those that are a frame around an operation */
	bool cpl0_only; /* #GP(0) at CPL 3 before anything else */
};

enum emul_notice {
	NOTICE_CR3 = 1 << 0,
	NOTICE_INVLPG = 1 << 1,
};

struct emul {
	struct trap_env env; /* .cpu is the copy */
	struct insn insn;
	const struct emul_handler *handler;
	const char *why; /* of -EOPNOTSUPP */
	unsigned notices;
	uint64_t invlpg_addr;
	bool repeat;  /* a rep has more elements: RIP goes back */
	bool keep;    /* elements are done: keep the state though the next one failed */
	bool int1;    /* #DB is due behind it */
	bool no_trap; /* RFLAGS.TF has no effect after this one */
	bool keep_rf; /* RFLAGS.RF is the instruction's result */
};

/* emul_operand.c: a refusal; registers and memory operands */
/* -EOPNOTSUPP, with `why` for the kill's sentence; static. */
int must_check emul_unsupported(struct emul *e, const char *why);
/* `bits` is 1 to 64; a mask has that many low bits set. */
uint64_t emul_mask(unsigned bits);
uint64_t emul_sign_extend(uint64_t value, unsigned bits);
/* Any general-purpose register by its part's name: AH, AX, EAX, RAX, ... */
uint64_t emul_reg_read(const struct cpu_state *cpu, ZydisRegister reg);
void emul_reg_write(struct cpu_state *cpu, ZydisRegister reg, uint64_t value); /* 32 bits: zero-extended */
/* A segment register's index into cpu->seg[]. */
enum segment emul_segment(ZydisRegister reg);
/* Offset of a memory operand, `displace` bytes further on, cut to the address size; no segment's base yet. */
uint64_t emul_address(const struct emul *e, const ZydisDecodedOperand *op, int64_t displace);
/* FS or GS by prefix; else SS or DS by the base register, for other prefixes count for nothing, APM2 4.5.3. */
ZydisRegister emul_operand_segment(const ZydisDecodedOperand *op);
/* Adds the base of FS or GS, if it is one of these. */
uint64_t emul_based(const struct emul *e, ZydisRegister segment, uint64_t address);
/* The same, and checks: canonical (#SS or #GP), alignment under RFLAGS.AC. */
int must_check emul_linear(struct emul *e, ZydisRegister segment, uint64_t address, unsigned size,
                           uint64_t *ret_linear);
/* Both of these in one, for an operand of the instruction. */
int must_check emul_operand_linear(struct emul *e, const ZydisDecodedOperand *op, int64_t displace,
                                   uint64_t *ret_linear);
/* Memory by linear address with the CPL's rights; `size` 1, 2, 4 or 8. Not canonical: #GP. */
int must_check emul_load(struct emul *e, uint64_t linear, unsigned size, unsigned access, uint64_t *ret_value);
int must_check emul_store(struct emul *e, uint64_t linear, unsigned size, uint64_t value);
int must_check emul_cmpxchg(struct emul *e, uint64_t linear, unsigned size, const void *expected, const void *desired,
                            void *old);
/* Any operand: register, memory or immediate (sign-extended to 64 bits, to be masked by the width). */
int must_check emul_read(struct emul *e, const ZydisDecodedOperand *op, uint64_t *ret_value);
int must_check emul_write(struct emul *e, const ZydisDecodedOperand *op, uint64_t value);

/* emul_alu.c */
alu_fn alu_add, alu_adc, alu_sub, alu_sbb, alu_and, alu_or, alu_xor, alu_inc, alu_dec, alu_neg, alu_not;
alu_fn alu_bt, alu_bts, alu_btr, alu_btc;

/* emul_modify.c: read-modify-write, locked or not */
emul_fn emul_modify, emul_compare, emul_bit, emul_bit_test, emul_xchg, emul_xadd, emul_cmpxchg_insn, emul_cmpxchg_pair;

/* emul_move.c */
emul_fn emul_mov, emul_movsx, emul_setcc, emul_cmovcc, emul_movs, emul_stos, emul_lods;

/* emul_io.c */
emul_fn emul_in, emul_out, emul_ins, emul_outs;

/* emul_string.c */
typedef int emul_element_fn(struct emul *e, unsigned size);
/* Runs `element` once, or as a rep: until RCX is 0, a fault, or enough for one call. */
int must_check emul_repeat(struct emul *e, emul_element_fn *element, unsigned size);
/* RSI or RDI (with the address size) and its step to the next element. */
uint64_t emul_index(const struct emul *e, enum gpr which);
/* It has a REP prefix of any kind, and takes one. */
bool emul_is_repeated(const struct emul *e);
void emul_advance(struct emul *e, enum gpr which, unsigned size);
/* Where RSI points to: DS, or FS or GS by prefix. */
ZydisRegister emul_source_segment(const struct emul *e);

/* emul_stack.c */
/* `size` bytes at SS:RSP; RSP moves only on success. */
int must_check emul_push(struct emul *e, unsigned size, uint64_t value);
int must_check emul_pop(struct emul *e, unsigned size, uint64_t *ret_value);
emul_fn emul_push_insn, emul_pop_insn, emul_pushf, emul_popf, emul_call, emul_ret, emul_jmp, emul_leave;

/* emul_far.c */
#define EMUL_FLAGS_STATUS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)
/* What popf and iret take from the stack at every CPL. */
#define EMUL_FLAGS_POPPED (EMUL_FLAGS_STATUS | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC | RFLAGS_ID)
emul_fn emul_iret, emul_jmp_far, emul_call_far, emul_ret_far, emul_load_far, emul_int, emul_int1;
/* RFLAGS as popf and iret may change them at this CPL, APM3. */
uint64_t emul_merge_rflags(const struct cpu_state *cpu, uint64_t popped, unsigned bits);

/* emul_syscall.c */
emul_fn emul_syscall, emul_sysret, emul_sysenter, emul_sysexit;

/* emul_control.c */
emul_fn emul_mov_cr, emul_mov_dr, emul_clts, emul_lmsw, emul_smsw, emul_xgetbv, emul_xsetbv;

/* emul_msr.c */
emul_fn emul_rdmsr, emul_wrmsr, emul_rdtsc, emul_rdpmc, emul_swapgs, emul_fsgsbase;

/* emul_system.c */
emul_fn emul_hlt, emul_cli, emul_sti, emul_nothing, emul_ud, emul_invlpg, emul_stac, emul_clac;
emul_fn emul_load_table, emul_store_table, emul_lldt, emul_ltr, emul_store_selector;

#endif
