/* SPDX-License-Identifier: MIT */
/*
 * The interface between the machine and a paging mode. vm/ and all above it call a mode through it and do not
 * know which mode runs. paging/nested.c and paging/shadow.c implement it; paging/switch.c goes from one to the other.
 *
 *   vCPU's thread                                    other threads
 *     start       once, before its first entry         create, destroy, reset   no vCPU runs
 *     enter  <-+                                       shootdown, joined        reclaim_lock and paging_lock held
 *     KVM_RUN  |                                       written                  paging_lock held
 *     left     |                                       get_state, set_state     the vCPU is parked
 *     port_exit, interrupted
 *     settled     before it parks for a pause
 */
#ifndef GNOMON_VM_PAGING_H
#define GNOMON_VM_PAGING_H

#include <gnomon/addr.h>
#include <stdbool.h>

#include "base/log.h"
#include "cpu/state.h"
#include "stage2/reclaim.h"

struct vm;
struct vcpu;

/* What the user chose for the modes. A mode ignores the fields that it does not need. */
struct paging_config {
	unsigned shadow_opts;   /* enum shadow_opt */
	uint64_t shadow_memory; /* bytes for shadow tables, a multiple of 2 MiB up to 256 MiB */
	bool audit;             /* compare the whole shadow with the guest's tables at each trap */
};

/* For whom the tables are: a mode may have others for the guest's programs than for its kernel. */
enum paging_view { PAGING_VIEW_NOW, PAGING_VIEW_KERNEL, PAGING_VIEW_USER };

/* Tables that the CPU walks for the guest, before the second stage. */
struct paging_tables {
	uint64_t root; /* address of the root table */
	int levels;
	/* Reads the entry at an address. False: no table can lie there. */
	bool (*entry)(struct vcpu *vcpu, uint64_t at, uint64_t *ret_entry);
	/* Where they lie, if not in guest memory: `size` bytes at machine address `base`, at `host` in the VMM. */
	maddr_t base;
	uint64_t size; /* 0: in guest memory */
	const uint8_t *host;
};

struct paging_ops {
	const char *name; /* as `--paging` and QMP name it */

	/*
	 * Makes what the mode needs for a VM whose memory and vCPUs exist. No vCPU runs. The mode before, if there was
	 * one, still exists. -errno, logged: nothing is left behind, and *ret_why is a sentence for the one who asked.
	 */
	int (*create)(struct vm *vm, const char **ret_why);
	/* Undoes it. No vCPU runs. */
	void (*destroy)(struct vm *vm);
	/* Guest memory is all zero and no vCPU runs: forgets what the mode derived from it. -errno, logged. */
	int (*reset)(struct vm *vm);
	/* The mode has come to its end, with the run or before: counts what is only known then. Once. No vCPU runs. */
	void (*finish)(struct vm *vm);

	/*
	 * Returns why the mode cannot go on from this state: a sentence, or NULL. The mode need not exist yet.
	 * paging_lock held.
	 */
	const char *(*refuses)(struct vcpu *vcpu, const struct cpu_state *state);
	/*
	 * Get or set the complete state of a vCPU, between two instructions of the guest, without pending interrupts:
	 * those are vcpu->vectors.
	 * Floating-point and vector registers stay in KVM's vCPU, in both modes. From the vCPU's own thread, or while
	 * it is parked. -errno.
	 */
	int (*get_state)(struct vcpu *vcpu, struct cpu_state *ret_state);
	int (*set_state)(struct vcpu *vcpu, const struct cpu_state *state);

	/* Gives the vCPU its first state, from start_sregs and start_regs. -errno, logged. */
	int (*start)(struct vcpu *vcpu);
	/* True when the guest's CPU is halted; *ret_interrupts_on: an interrupt can end that. */
	bool (*halted)(struct vcpu *vcpu, bool *ret_interrupts_on);
	/* Makes everything ready for KVM_RUN. False: do not enter; look at the requests again. Takes paging_lock. */
	bool (*enter)(struct vcpu *vcpu);
	/* KVM_RUN returned, however. First of all. */
	void (*left)(struct vcpu *vcpu);
	/* It returned without an exit of the guest's: a kick, or an interrupt window. */
	void (*interrupted)(struct vcpu *vcpu);
	/* It returned with KVM_EXIT_IO. */
	void (*port_exit)(struct vcpu *vcpu);
	/*
	 * The guest cannot go on (a shutdown, or an instruction that KVM cannot emulate). True: the cause is reclaimed
	 * memory, and the guest has been killed for it.
	 */
	bool (*violation_behind)(struct vcpu *vcpu);
	/*
	 * The VM is paused and the vCPU is about to park: completes what it has begun. True: it may park, and
	 * vcpu->unsettled is NULL or tells what KVM has that get_state() does not show. False: it must enter once more.
	 */
	bool (*settled)(struct vcpu *vcpu);

	/*
	 * The second stage maps these slices no longer. When this returns no vCPU reaches them, and the host's mapping
	 * is without them (vm/reclaim.h). Returns how many vCPUs had to come out.
	 */
	unsigned (*shootdown)(struct vm *vm, const struct stage2_slice *slice, unsigned n);
	/* The second stage maps the 2 MiB at `gpa` by one leaf again. */
	void (*joined)(struct vm *vm, gpa_t gpa);
	/*
	 * The VMM wrote [gpa, gpa + size) for the guest or a device; the bytes may be entries of a table. Notes it in the
	 * second stage (stage2/written.h).
	 */
	void (*written)(struct vm *vm, gpa_t gpa, uint64_t size);

	/*
	 * Gives the tables that the CPU walks now, or would at that CPL of the guest's. False: there are none.
	 * The vCPU is parked, or the caller is its thread. The caller holds paging_lock while it looks at the tables.
	 */
	bool (*tables)(struct vcpu *vcpu, enum paging_view view, struct paging_tables *ret_tables);
};

#endif
