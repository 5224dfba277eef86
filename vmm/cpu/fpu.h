/* SPDX-License-Identifier: MIT */
/*
 * Which exception CR0.TS, EM, MP and CR4.OSFXSR, OSXSAVE owe an x87, MMX, SSE or AVX instruction: APM2 3.1.1, 3.1.3,
 * SDM vol. 3 2.5 and table 9-3. For hosts whose CPU does not look at these bits of the guest.
 */
#ifndef GNOMON_CPU_FPU_H
#define GNOMON_CPU_FPU_H

#include "cpu/state.h"

struct insn;

/* What state an instruction works on. */
enum insn_fpu {
	INSN_FPU_NONE, /* none of these */
	INSN_FPU_X87,  /* x87; FXSAVE and FXRSTOR, too */
	INSN_FPU_WAIT, /* WAIT */
	INSN_FPU_MMX,  /* MMX and 3DNow! */
	INSN_FPU_SSE,  /* XMM registers or MXCSR, without a VEX prefix */
	INSN_FPU_AVX,  /* with VEX, EVEX or XOP; XSAVE and its relatives */
};

/* By the decoded instruction. */
enum insn_fpu insn_fpu(const struct insn *insn);

/* VEC_UD or VEC_NM; -1 where the instruction may run. */
int insn_fpu_fault(const struct cpu_state *cpu, enum insn_fpu fpu);

#endif
