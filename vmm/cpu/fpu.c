/* SPDX-License-Identifier: MIT */
#include "cpu/fpu.h"

#include "cpu/decode.h"

static bool has_vex(const struct insn *insn)
{
	return insn->z.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX ||
	       insn->z.encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX ||
	       insn->z.encoding == ZYDIS_INSTRUCTION_ENCODING_XOP;
}

/* By the registers; hidden operands count: LDMXCSR names MXCSR, BLENDVPS XMM0. */
static enum insn_fpu by_register(ZydisRegister reg)
{
	if (reg >= ZYDIS_REGISTER_ST0 && reg <= ZYDIS_REGISTER_ST7)
		return INSN_FPU_X87;
	if (reg >= ZYDIS_REGISTER_MM0 && reg <= ZYDIS_REGISTER_MM7)
		return INSN_FPU_MMX;
	if ((reg >= ZYDIS_REGISTER_XMM0 && reg <= ZYDIS_REGISTER_XMM31) || reg == ZYDIS_REGISTER_MXCSR)
		return INSN_FPU_SSE;
	if ((reg >= ZYDIS_REGISTER_YMM0 && reg <= ZYDIS_REGISTER_ZMM31) ||
	    (reg >= ZYDIS_REGISTER_K0 && reg <= ZYDIS_REGISTER_K7))
		return INSN_FPU_AVX;
	return INSN_FPU_NONE;
}

static enum insn_fpu by_operands(const struct insn *insn)
{
	enum insn_fpu fpu = INSN_FPU_NONE;

	for (unsigned i = 0; i < insn->z.operand_count; i++) {
		const ZydisDecodedOperand *op = &insn->op[i];
		const enum insn_fpu this =
		    op->type == ZYDIS_OPERAND_TYPE_REGISTER ? by_register(op->reg.value) : INSN_FPU_NONE;

		/* Of an MMX and an XMM register, CVTPI2PS for one, the latter decides. */
		fpu = this > fpu ? this : fpu;
	}
	return fpu != INSN_FPU_NONE && has_vex(insn) ? INSN_FPU_AVX : fpu;
}

enum insn_fpu insn_fpu(const struct insn *insn)
{
	switch (insn->z.mnemonic) {
	case ZYDIS_MNEMONIC_FWAIT:
		return INSN_FPU_WAIT;
	case ZYDIS_MNEMONIC_FXSAVE:
	case ZYDIS_MNEMONIC_FXSAVE64:
	case ZYDIS_MNEMONIC_FXRSTOR:
	case ZYDIS_MNEMONIC_FXRSTOR64:
		return INSN_FPU_X87;
	case ZYDIS_MNEMONIC_EMMS:
	case ZYDIS_MNEMONIC_FEMMS:
		return INSN_FPU_MMX;
	case ZYDIS_MNEMONIC_LDMXCSR:
	case ZYDIS_MNEMONIC_STMXCSR:
		return INSN_FPU_SSE;
	case ZYDIS_MNEMONIC_VZEROALL:
	case ZYDIS_MNEMONIC_VZEROUPPER:
	case ZYDIS_MNEMONIC_VLDMXCSR:
	case ZYDIS_MNEMONIC_VSTMXCSR:
		return INSN_FPU_AVX;
	default:
		break;
	}
	switch (insn->z.meta.isa_ext) {
	case ZYDIS_ISA_EXT_X87:
		return INSN_FPU_X87;
	case ZYDIS_ISA_EXT_XSAVE:
	case ZYDIS_ISA_EXT_XSAVEC:
	case ZYDIS_ISA_EXT_XSAVEOPT:
	case ZYDIS_ISA_EXT_XSAVES:
		return INSN_FPU_AVX;
	default:
		return by_operands(insn);
	}
}

int insn_fpu_fault(const struct cpu_state *cpu, enum insn_fpu fpu)
{
	const bool ts = cpu->cr0 & CR0_TS, em = cpu->cr0 & CR0_EM;

	switch (fpu) {
	case INSN_FPU_NONE:
		return -1;
	case INSN_FPU_X87:
		return ts || em ? VEC_NM : -1;
	case INSN_FPU_WAIT:
		return ts && cpu->cr0 & CR0_MP ? VEC_NM : -1;
	case INSN_FPU_MMX:
		if (em)
			return VEC_UD;
		break;
	case INSN_FPU_SSE:
		if (em || !(cpu->cr4 & CR4_OSFXSR))
			return VEC_UD;
		break;
	case INSN_FPU_AVX:
		if (!(cpu->cr4 & CR4_OSXSAVE))
			return VEC_UD;
		break;
	}
	return ts ? VEC_NM : -1;
}
