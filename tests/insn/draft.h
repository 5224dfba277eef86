/* SPDX-License-Identifier: MIT */
/* A case while it is made: generate.c and operands.c. */
#ifndef INSN_DRAFT_H
#define INSN_DRAFT_H

#include "check.h"

struct draft {
	const struct generator *g;
	struct dice d;
	struct generated *out;
	ZydisDecodedInstruction z;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	uint64_t prefer;  /* where its memory operand may well lie; 0: anywhere */
	unsigned fixed;   /* general registers whose value is taken, by number */
	bool tables;      /* an operand lies in a table under test */
	uint64_t operand; /* where the first memory operand lies, in WINDOW_LOW; 0: nowhere there */
	uint64_t stack;   /* the same of the stack */
};

/* What memory may hold for an instruction that takes it for more than data. */
enum wants { WANTS_DATA, WANTS_SELECTORS, WANTS_CODE };

/* judges.c */
enum wants what_it_wants(const struct draft *t);
/* What lies there when the case begins; outside WINDOW_LOW zeros. */
uint64_t read_word(const struct draft *t, uint64_t at);
void choose_judges(struct draft *t);

/* operands.c: makes addresses lead somewhere, by registers and by the bytes themselves. */
void steer_memory(struct draft *t);
void steer_branch(struct draft *t);
/* Where a jump may go: nothing is executed there but INT3. */
uint64_t code_target(struct draft *t);
/* Null, in the local table, or beyond the end of any table; now and then one that the guest has. */
uint16_t throw_selector(struct dice *d);
/* The address in WINDOW_LOW that is the same memory; 0: in neither window. */
uint64_t window_address(uint64_t address);

static inline int gpr_number(ZydisRegister reg)
{
	const ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);

	return whole >= ZYDIS_REGISTER_RAX && whole <= ZYDIS_REGISTER_R15 ? (int)(whole - ZYDIS_REGISTER_RAX) : -1;
}

#endif
