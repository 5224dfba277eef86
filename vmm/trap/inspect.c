/* SPDX-License-Identifier: MIT */
#include "trap/inspect.h"

#include "trap/emul.h"

/* A push names RSP as it is before; what it writes lies below. */
static uint64_t linear_of(const struct emul *e, const ZydisDecodedOperand *op, unsigned size)
{
	const bool pushes = op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN && op->mem.base == ZYDIS_REGISTER_RSP &&
	                    op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
	uint64_t at = emul_address(e, op, pushes ? -(int64_t)size : 0);

	if (op->mem.segment == ZYDIS_REGISTER_FS || op->mem.segment == ZYDIS_REGISTER_GS)
		at += e->env.cpu->seg[emul_segment(op->mem.segment)].base;
	return at;
}

/* SSE's 16 bytes, but for the moves that are there for it, and the areas of FXSAVE: APM1 4.3.2, SDM vol. 1 4.1.1. */
static bool needs_alignment(const struct insn *insn, unsigned size)
{
	switch (insn->z.mnemonic) {
	case ZYDIS_MNEMONIC_MOVUPS:
	case ZYDIS_MNEMONIC_MOVUPD:
	case ZYDIS_MNEMONIC_MOVDQU:
	case ZYDIS_MNEMONIC_LDDQU:
	case ZYDIS_MNEMONIC_MASKMOVDQU:
	case ZYDIS_MNEMONIC_PCMPESTRI:
	case ZYDIS_MNEMONIC_PCMPESTRM:
	case ZYDIS_MNEMONIC_PCMPISTRI:
	case ZYDIS_MNEMONIC_PCMPISTRM:
		return false;
	default:
		return size == 16 && insn_fpu(insn) == INSN_FPU_SSE;
	}
}

unsigned inspect_insn(const struct cpu_state *state, const struct cpu_ops *ops, void *ctx,
                      struct insn_access ret[INSPECT_ACCESSES])
{
	struct cpu_state copy = *state;
	struct emul e = {.env = {.cpu = &copy, .ops = ops, .ctx = ctx}};
	unsigned n = 0;

	if (decode_insn(&e.env, &e.insn) != 0)
		return 0;
	copy.rip += e.insn.length;
	for (unsigned i = 0; i < e.insn.z.operand_count && n < INSPECT_ACCESSES; i++) {
		const ZydisDecodedOperand *op = &e.insn.op[i];
		const unsigned size = op->size >= 8 ? op->size / 8u : 1;

		if (op->type != ZYDIS_OPERAND_TYPE_MEMORY || op->mem.type != ZYDIS_MEMOP_TYPE_MEM)
			continue;
		ret[n++] = (struct insn_access){
		    .at = gva_init(linear_of(&e, op, size)),
		    .size = size,
		    .write = op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE,
		    .stack = op->mem.segment == ZYDIS_REGISTER_SS,
		    .aligned = needs_alignment(&e.insn, size),
		};
	}
	return n;
}

enum insn_fpu inspect_fpu(const struct cpu_state *state, const struct cpu_ops *ops, void *ctx)
{
	struct cpu_state copy = *state;
	struct trap_env env = {.cpu = &copy, .ops = ops, .ctx = ctx};
	struct insn insn;

	return decode_insn(&env, &insn) == 0 ? insn_fpu(&insn) : INSN_FPU_NONE;
}
