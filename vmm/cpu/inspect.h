/* SPDX-License-Identifier: MIT */
/* What the instruction at RIP is about to do: for those that a CPU executes under the VMM's eyes. */
#ifndef GNOMON_CPU_INSPECT_H
#define GNOMON_CPU_INSPECT_H

#include "base/log.h"
#include "cpu/fpu.h"
#include "cpu/ops.h"
#include "cpu/state.h"

#define INSPECT_ACCESSES 4

struct insn_access {
	gva_t at;
	unsigned size;  /* bytes; 1 where it depends on more than the instruction */
	unsigned align; /* what the address must be a multiple of: #GP; 1 for most */
	bool aligned_last; /* the address's own faults come before that one */
	bool write;     /* else it is only read */
	bool stack;     /* #SS, not #GP, where it is not canonical */
};

struct inspection {
	/* Data that the operands name, the stack's too. A rep's are those of its next element; lanes are left out. */
	struct insn_access access[INSPECT_ACCESSES];
	unsigned nr_accesses;
	unsigned length; /* bytes of the instruction */
	bool lanes;   /* a gather or scatter: what a fault interrupts goes on where it was */
	bool stays;   /* it may have run, and RIP be at it: a branch, a rep, lanes */
	bool int1;
	bool known;   /* there is such an instruction; else nothing else is said */
	bool present; /* see insn_is_present() */
};

/* False: its bytes cannot be fetched. */
bool must_check inspect_insn(const struct cpu_state *state, const struct cpu_ops *ops, void *ctx,
                             struct inspection *ret_inspection);

#endif
