/* SPDX-License-Identifier: MIT */
/*
 * Shadow mode on KVM: the pool of tables and the stub in memslots of their own, and per
 * vCPU the virtual CPU's state with the way in and out.
 *
 *   KVM_RUN returns -> shadow_vcpu_trap(): capture the state, handle the trap (shadow_vcpu.c, shadow_trap.c)
 *   before KVM_RUN  -> shadow_vcpu_enter(): interrupts, root, edits, registers for the stub (shadow_enter.c)
 *   in between      -> shadow_step(): one instruction alone, where the CPU must run it and the VMM look on (shadow_step.c)
 *
 * paging_lock is held between the two, i.e. whenever a vCPU is not inside KVM_RUN or
 * waiting; the shadow MMU is used under it only. Lock order: see vm.h.
 */
#ifndef GNOMON_PAGING_SHADOW_VM_H
#define GNOMON_PAGING_SHADOW_VM_H

#include <linux/kvm.h>
#include <pthread.h>

#include "vm/vm.h"
#include "shadow/shadow.h"
#include "cpu/emulate.h"
#include "cpu/ops.h"
#include "cpu/state.h"
#include "stub/stub_layout.h"

struct vcpu;

struct shadow_vm {
	struct vm *vm;
	struct shadow *mmu;
	uint8_t *pool;      /* the host's address of stub.pool */
	uint8_t maxphyaddr; /* as struct walk_mode has them */
	bool gbpages, pml4_global_reserved;
	struct cpu_ops cpu_ops; /* the emulator's way to memory and ports; ctx is the struct vcpu */
	struct stub_layout stub;
	uint64_t recycles; /* a CR3 loaded under an older count points into cleared memory */
	/* The real CPU looks at the control registers that KVM was given at CPL 3, too: it is in hardware mode.
	 * Elsewhere, on kvm_pvm, they are the host's: what the guest sets there is done by shadow_step_supervised(). */
	bool obeyed;
};

/* Where a vCPU stands between two KVM_RUNs. */
enum shadow_where {
	SHADOW_AT_VMM,      /* `cpu` is the guest's state; the next entry goes through the leave code */
	SHADOW_INTERRUPTED, /* kicked in the guest or on its way into the stub: KVM_RUN goes on from there */
};

/* RFLAGS bits that the guest's own code may carry at the real CPL 3. */
#define RFLAGS_REAL_MASK (0xdd5ull | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC | RFLAGS_ID)

struct shadow_vcpu {
	struct cpu_state cpu;
	enum shadow_where where;
	atomic_bool in_guest;  /* inside KVM_RUN, or about to be, with no lock held */
	unsigned riding;       /* of the queued edits, how many the leave code stores on the way in; one vCPU alone */
	uint64_t flushes;      /* shadow_flushes() when this vCPU's TLB was last flushed */
	uint64_t recycles;     /* shadow_vm.recycles when CR3 was last set from outside */
	maddr_t root;          /* what the real CR3 holds */
	bool kick_queued;      /* KVM was given STUB_VECTOR_KICK for the guest; no trap came since */
	bool leaving;          /* the next thing that happens in the guest is its way into the stub */
	uint64_t entry_rip;    /* where the guest went on when it was entered last */
	uint64_t entry_rflags; /* the guest's flags then */
	bool stepping;         /* one instruction is run alone: the real TF is ours */
	bool step_again;       /* what hindered it is out of its way */
	bool without_ac;       /* it runs with the real RFLAGS.AC clear: see trap_alignment() */
	bool through_smap;     /* it runs without SMAP: see trap_fetch_only() */
	uint64_t hits;         /* breakpoints, as in DR6, that the step's own accesses meet; reported when it is done */
	bool between_lanes;    /* its gather or scatter was interrupted, and a single step's trap is due */
	bool popf_sets_ac;     /* its kernel was seen to set RFLAGS.AC by POPF, which does not trap */
	bool programs_ac;      /* the AC that its kernel has is what a program had, and was not seen clear since */
	gpa_t nowhere;         /* where the last access led that found neither memory nor device */
	struct kvm_sregs real; /* the real segment and control registers, as last set */
	uint64_t real_tsc_aux; /* MSR_TSC_AUX, likewise */
};

/* paging_ops.create and .destroy: the stub and the pool of tables, in memslots of their own. */
int must_check shadow_vm_create(struct vm *vm, const char **ret_why);
void shadow_vm_destroy(struct vm *vm);

/* Gives a vCPU this virtual state, and the real registers for the stub. Lock held. -errno, logged. */
int must_check shadow_vcpu_begin(struct vcpu *vcpu, const struct cpu_state *state);

/* Makes everything ready for KVM_RUN and marks the vCPU as in the guest. False: do not enter (killed, or asked
 * to leave). Takes and drops the lock. */
bool must_check shadow_vcpu_enter(struct vcpu *vcpu);

/* KVM_RUN returned without a trap: a kick, or an interrupt window. */
void shadow_vcpu_interrupted(struct vcpu *vcpu);

/* The guest's RFLAGS where the CPU has `real` at CPL 3: some of them stay what the VMM keeps for the guest. */
uint64_t shadow_vcpu_rflags(const struct vcpu *vcpu, uint64_t real);

/* KVM_RUN returned with a port access: the stub reports. Handles the trap up to the resume. */
void shadow_vcpu_trap(struct vcpu *vcpu);

/* Marks the vCPU as out of the guest and takes paging_lock. */
void shadow_vcpu_lock(struct vcpu *vcpu);
void shadow_vcpu_unlock(struct vcpu *vcpu);

/* The stub has reported: takes the guest's state from it and handles the trap. Lock held. */
void shadow_vcpu_take_trap(struct vcpu *vcpu);

/* Root, edits and registers for the way into the guest. False: the run ends. Lock held. */
bool must_check shadow_vcpu_load(struct vcpu *vcpu);

/*
 * KVM_RUN until the stub reports, whoever kicks meanwhile; they are heard afterwards. False: something else happened,
 * which is logged, and the run ends. Lock held: other vCPUs stay where they are.
 */
bool must_check shadow_vcpu_run_to_stub(struct vcpu *vcpu);

/* paging/shadow_real.c: the real CPU's own state. Gives it what the guest's asks for and the stub cannot load. Lock held. */
void shadow_real_sync(struct vcpu *vcpu);
/* Its first state. -errno, logged. */
int must_check shadow_real_start(struct vcpu *vcpu);

/*
 * paging/shadow_step.c: a step. The CPU runs the one instruction at RIP, alone, and what it faults on is put right; it ends
 * when the instruction is done or has raised an exception. A trap's handler asks for it, or, of a step under way, that it
 * tries again; whoever took the trap runs it then, if it was asked for. Lock held from the one to the other.
 */
void shadow_step_ask(struct vcpu *vcpu);
void shadow_step_run(struct vcpu *vcpu);
/*
 * Whether the guest's next instruction must not be left to the CPU: an interrupt waits for the end of STI's or MOV SS'
 * shadow, or the guest set something that this CPU does not look at. And that instruction, by emulation or by a step.
 * Lock held.
 */
bool shadow_step_due(struct vcpu *vcpu);
void shadow_step_supervised(struct vcpu *vcpu);

/*
 * paging/shadow_pvm.c: what the CPU itself said, where KVM's emulator had a hand in it. A #UD for an instruction that the CPU
 * has becomes the #GP or #SS that it was, a #GP for no instruction #UD. True: the #PF at `at`, which the guest's tables
 * deny, was another exception.
 */
void shadow_pvm_mend(struct vcpu *vcpu, struct cpu_exception *exc);
bool must_check shadow_pvm_mend_pf(struct vcpu *vcpu, gva_t at, struct cpu_exception *ret_exc);
/*
 * A #DB comes, RIP is at an INT1, and what came before was none: it was this one, and RIP goes behind it. A process finds
 * RIP there, too, where the machine below is one of SVM.
 */
void shadow_pvm_mend_int1(struct vcpu *vcpu);
/*
 * The #PF at `cr2` is a SYSCALL's, which ended at LSTAR with CPL 3 (docs/hosts.md): RIP and RFLAGS are as behind it, then.
 * A program that jumps there looks the same. Of R11 only what the CPU has in RFLAGS at CPL 3 counts: IF and IOPL stay.
 */
bool must_check shadow_pvm_take_syscall(struct vcpu *vcpu, uint64_t cr2);

/* paging/shadow_trap.c: what a trap means. Lock held. */
void shadow_trap_handle(struct vcpu *vcpu, uint64_t vector, uint32_t error);
void shadow_trap_syscall(struct vcpu *vcpu);
/* Delivers a pending interrupt if the guest takes one now. Lock held. */
void shadow_trap_interrupts(struct vcpu *vcpu);
/* Delivers an exception to the guest, or ends it. Lock held. */
void shadow_trap_inject(struct vcpu *vcpu, const struct cpu_exception *exc);
/*
 * Emulates the instruction at RIP; `real` is what the CPU raised for it, NULL if nothing. False: the emulator does not know
 * it; *ret_result says what it is. Lock held.
 */
bool must_check shadow_trap_emulate(struct vcpu *vcpu, const struct cpu_exception *real,
                                    struct emul_result *ret_result);
/* What the vCPU translates with now. */
struct shadow_view shadow_vcpu_view(const struct vcpu *vcpu);

/* paging/shadow_ops.c: the emulator's way to memory, ports and the MMU, for this host's CPU. */
struct cpu_ops shadow_ops_make(void);

#endif
