/* SPDX-License-Identifier: MIT */
/*
 * Emulation of the one instruction at RIP, on the virtual CPU's state. 64-bit code only: what a guest runs
 * after abi.h's entry. Knows the privileged and sensitive instructions at both CPLs, and the memory instructions
 * that guests use on page tables and devices; emulate.c holds the list. The rest is EMUL_UNKNOWN.
 */
#ifndef GNOMON_CPU_EMULATE_H
#define GNOMON_CPU_EMULATE_H

#include "base/log.h"
#include "cpu/fpu.h"
#include "cpu/ops.h"
#include "cpu/state.h"

#define INSN_MAX 15

enum emul_outcome {
	EMUL_DONE,           /* executed; RIP is at the next one, or still here if a rep has more to do */
	EMUL_EXCEPTION,      /* hand `exc` to inject_exception() */
	EMUL_HALT,           /* as DONE, and the CPU waits for an interrupt */
	EMUL_OUTSIDE_MEMORY, /* the guest's tables lead to no memory: #UD at CPL 3, else kill */
	EMUL_UNKNOWN, /* not one that is emulated, or none at all: a CPU has to say. `fpu`, `privileged`, `undefined` */
	EMUL_UNSUPPORTED, /* known, but what it leads to does not exist here; `why` says what */
	EMUL_HOST_ERROR,  /* a callback failed with `error` */
	EMUL_OUTCOME_COUNT,
};

struct emul_result {
	struct cpu_exception exc;
	bool fetch;              /* EXCEPTION: of the fetch of its bytes */
	enum insn_fpu fpu;       /* UNKNOWN: the state it works on */
	bool privileged;         /* UNKNOWN: it is one of CPL 0 */
	bool undefined;          /* UNKNOWN: its bytes are no instruction */
	bool unsupported;        /* the outcome is UNSUPPORTED */
	const char *why;         /* UNKNOWN, UNSUPPORTED: what, as part of a sentence; static */
	int error;               /* HOST_ERROR: -errno */
	unsigned length;         /* bytes of the instruction; as many as were fetched if it is not one */
	uint8_t bytes[INSN_MAX]; /* for the message of a kill */
};

/* One line on what an outcome means; static. */
const char *emul_outcome_describe(enum emul_outcome outcome);

/*
 * Executes the instruction at state->rip. *ret_result is written whole, its parts are meaningful as the outcome
 * says. Unless the outcome is DONE or HALT the state is unchanged (the instruction restarts), with two
 * exceptions that are the architecture's: a rep string instruction keeps the elements it has finished, and a trap
 * (#DB of RFLAGS.TF) comes after the instruction: inject in each case. A rep with many elements may return
 * DONE early, RIP in place. No locks; runs the callbacks in the calling thread.
 */
enum emul_outcome must_check emulate_insn(struct cpu_state *state, const struct cpu_ops *ops, void *ctx,
                                          struct emul_result *ret_result);

/*
 * What `syscall` does, APM3: for a host where the real CPU executed it at CPL 3 and stopped at the fetch from
 * LSTAR. state->rflags are the caller's (R11 of the real CPU with the virtual IF), `return_rip` the real RCX.
 */
void emulate_syscall_entry(struct cpu_state *state, uint64_t return_rip);

#endif
