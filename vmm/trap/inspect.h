/* SPDX-License-Identifier: MIT */
/* Which memory the instruction at RIP is about to reach for: for those that a CPU executes under the VMM's eyes. */
#ifndef GNOMON_TRAP_INSPECT_H
#define GNOMON_TRAP_INSPECT_H

#include "base/log.h"
#include "trap/fpu.h"
#include "trap/ops.h"
#include "trap/state.h"

#define INSPECT_ACCESSES 4

struct insn_access {
	gva_t at;
	unsigned size; /* bytes; 1 where it depends on more than the instruction */
	bool write;    /* else it is only read */
	bool stack;    /* #SS, not #GP, where it is not canonical */
	bool aligned;  /* must be, to its size: #GP */
};

/*
 * Fills ret[] with the data accesses that the operands name, those of the stack too, and returns their number; 0 for what
 * is no known instruction. A rep's are those of its next element. The lanes of a gather or scatter are left out.
 */
unsigned must_check inspect_insn(const struct cpu_state *state, const struct cpu_ops *ops, void *ctx,
                                 struct insn_access ret[INSPECT_ACCESSES]);

/* The state that it works on; INSN_FPU_NONE for what is no known instruction. */
enum insn_fpu must_check inspect_fpu(const struct cpu_state *state, const struct cpu_ops *ops, void *ctx);

#endif
