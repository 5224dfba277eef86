/* SPDX-License-Identifier: MIT */
/*
 * Delivery of exceptions and interrupts through the guest's IDT, GDT and TSS, as in 64-bit mode, APM2 8.9:
 * gate, handler's CS, IST or RSP0, aligned frame, flags. Entered at the virtual CPL 0 or 3.
 */
#ifndef GNOMON_CPU_INJECT_H
#define GNOMON_CPU_INJECT_H

#include "base/log.h"
#include "cpu/ops.h"
#include "cpu/state.h"

enum inject_outcome {
	INJECT_DONE,           /* the state is at the handler's first instruction */
	INJECT_REPLACED,       /* as DONE, but a fault on the way took its place, or #DF */
	INJECT_TRIPLE_FAULT,   /* a fault in the delivery of #DF: the CPU shuts down; the state is unchanged */
	INJECT_OUTSIDE_MEMORY, /* the guest's tables lead the CPU to no memory: kill; unchanged */
	INJECT_HOST_ERROR,     /* a callback failed; unchanged */
	INJECT_OUTCOME_COUNT,
};

/* True for an exception whose frame has the instruction that raised it, APM2 table 8-1. False for all interrupts. */
bool inject_is_fault(uint64_t vector);

/* One line on what an outcome means; static. */
const char *inject_outcome_describe(enum inject_outcome outcome);

/*
 * Delivers an exception. RIP must be what the frame shall hold: the instruction for a fault, the next one for a
 * trap. Sets CR2 for #PF, DR6 for #DB; pushes RF for a fault. A fault on the way is classified (APM2 8.2.9)
 * and delivered in its place. Ends `halted` and the interrupt shadow.
 */
enum inject_outcome must_check inject_exception(struct cpu_state *state, const struct cpu_ops *ops, void *ctx,
                                                const struct cpu_exception *exc);

/*
 * Delivers external interrupt `vector`, or the NMI as VEC_NMI. The caller has checked
 * inject_interrupt_allowed() (not for the NMI). Faults on the way as above.
 */
enum inject_outcome must_check inject_interrupt(struct cpu_state *state, const struct cpu_ops *ops, void *ctx,
                                                uint8_t vector);

/* True if an external interrupt may be delivered now: IF set, no shadow. CR8 is the interrupt source's matter. */
bool inject_interrupt_allowed(const struct cpu_state *state);

/*
 * `int n`, `int3`, `int1` and `into`: one delivery, RIP being the next instruction already. 0; -EFAULT with
 * *ret_exc: a fault of the instruction itself (gate's DPL, for one), the caller restores RIP; -ENXIO
 * or a host's -errno as in ops.h. The state is unchanged unless 0.
 */
int must_check inject_software(struct cpu_state *state, const struct cpu_ops *ops, void *ctx, uint8_t vector,
                               struct cpu_exception *ret_exc);

#endif
