/* SPDX-License-Identifier: MIT */
/* What the stub needs to enter the guest: root, edits, frame and registers; and a run that ends in the stub. */
#include <errno.h>
#include <gnomon/x86.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kvm/cpu_regs.h"
#include "kvm/refusal.h"
#include "paging/shadow_vm.h"
#include "stub/stub.h"
#include "vm/reclaim.h"
#include "vm/vcpu.h"

static void write_frame(struct vcpu *vcpu)
{
	struct stub_frame *f = stub_frame(&vcpu->vm->shadow->stub, vcpu->id);
	const struct shadow_vcpu *v = vcpu->shadow;
	const struct cpu_state *c = &v->cpu;

	f->rip = c->rip;
	f->cs = STUB_USER_CS;
	f->rflags = (c->rflags & RFLAGS_REAL_MASK & ~(uint64_t)(v->without_ac ? RFLAGS_AC : 0)) | RFLAGS_FIXED |
	            RFLAGS_IF | (v->stepping ? RFLAGS_TF : 0);
	f->rsp = c->gpr[GPR_RSP];
	f->ss = STUB_USER_SS;
}

/* Hands the first `n` of the queued edits to this vCPU's mailbox, in the stub's addresses. */
static void write_edits(struct vcpu *vcpu, struct stub_mailbox *m, unsigned n)
{
	const struct shadow_vm *s = vcpu->vm->shadow;
	const struct shadow_edit *e = shadow_edits(s->mmu);

	for (unsigned i = 0; i < n; i++) {
		m->edit[i] = (struct stub_edit){
		    .entry = STUB_POOL + (maddr_raw(e[i].entry) - maddr_raw(s->stub.pool)),
		    .value = e[i].value.raw,
		};
	}
}

/* Registers for one of the leave codes that reload CR3. */
static void stub_call(struct vcpu *vcpu, const char *label, struct kvm_regs *r, unsigned edits)
{
	struct stub_mailbox *m = stub_mailbox(&vcpu->vm->shadow->stub, vcpu->id);
	const uint64_t mailbox = STUB_CPU((uint64_t)vcpu->id) + STUB_MAILBOX;

	m->rax = r->rax;
	m->rcx = r->rcx;
	m->rdx = r->rdx;
	m->rsi = r->rsi;
	m->rdi = r->rdi;
	m->r8 = r->r8;
	write_edits(vcpu, m, edits);
	counter_inc(&vcpu->counters, CTR_SHADOW_INVALIDATIONS);
	r->rip = stub_address(label);
	if (label != stub_apply_edits) { /* which does not go back into the guest */
		stub_frame(&vcpu->vm->shadow->stub, vcpu->id)->error = r->rdx;
		r->rsp -= sizeof(uint64_t);
	}
	r->rdx = maddr_raw(vcpu->shadow->root);
	if (label == stub_leave_cr3)
		return;
	r->rcx = edits;
	r->rsi = mailbox + MAILBOX_EDITS;
	r->r8 = mailbox;
}

static void prepare_registers(struct vcpu *vcpu, maddr_t root)
{
	struct shadow_vm *s = vcpu->vm->shadow;
	struct shadow_vcpu *v = vcpu->shadow;
	struct kvm_regs *r = &vcpu->run->s.regs.regs;
	const unsigned edits = shadow_nr_edits(s->mmu);
	const bool reload = root.raw != v->root.raw || v->flushes != shadow_flushes(s->mmu) || edits;

	v->root = root;
	v->entry_rip = v->cpu.rip;
	v->entry_rflags = v->cpu.rflags;
	shadow_real_sync(vcpu);
	write_frame(vcpu);
	r->rflags = RFLAGS_FIXED;
	cpu_regs_gprs_to_kvm(&v->cpu, r);
	r->rsp = stub_iret_rsp(vcpu->id);
	r->rip = stub_address(stub_leave);
	if (reload)
		stub_call(vcpu, edits ? stub_leave_edits : stub_leave_cr3, r, edits);
	v->flushes = shadow_flushes(s->mmu);
	v->leaving = false;
	v->riding = edits;
	vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
	vcpu->run->request_interrupt_window = 0;
}

bool shadow_vcpu_run_to_stub(struct vcpu *vcpu)
{
	int rc;

	do {
		__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
		rc = ioctl(vcpu->fd, KVM_RUN, 0);
	} while (rc < 0 && (errno == EINTR || (errno == EAGAIN && !kvm_is_refused_for_ever(&vcpu->refused, EAGAIN))));
	/* A kick meanwhile lost its immediate_exit above: what it was for is visible by now. */
	if (atomic_load(&vcpu->requests) || vcpu_pending_vector(vcpu) >= 0 || atomic_load(&vcpu->vm->paused))
		__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	counter_inc(&vcpu->counters, CTR_EXITS);
	if (rc == 0 && vcpu->run->exit_reason == KVM_EXIT_IO)
		return true;
	if (rc == 0)
		vcpu_handle_exit(vcpu);
	else
		vcpu_run_failed(vcpu, errno);
	return false;
}

/* One trip through the stub that stores the first `n` edits and takes them off the queue. False: the run ends. */
static bool apply_edits(struct vcpu *vcpu, unsigned n)
{
	struct kvm_regs *r = &vcpu->run->s.regs.regs;

	*r = (struct kvm_regs){.rsp = stub_iret_rsp(vcpu->id), .rflags = RFLAGS_FIXED};
	shadow_real_sync(vcpu);
	stub_call(vcpu, stub_apply_edits, r, n);
	vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
	if (!shadow_vcpu_run_to_stub(vcpu))
		return false;
	BUG_ON(vcpu->run->io.port != STUB_PORT_DONE);
	shadow_edits_stored(vcpu->vm->shadow->mmu, n);
	return true;
}

/*
 * Edits ride with the leave code, as many as the mailbox holds. What is more takes trips of its own; and with other
 * vCPUs about all do, for they must be stored before anyone else may go on.
 */
static bool apply_edits_beforehand(struct vcpu *vcpu, maddr_t root)
{
	const struct shadow *mmu = vcpu->vm->shadow->mmu;
	const unsigned ride = vcpu->vm->nr_vcpus == 1 ? STUB_EDITS : 0;

	unsigned n = shadow_nr_edits(mmu);

	if (n <= ride)
		return true;
	vcpu->shadow->root = root;
	for (; n > ride; n = shadow_nr_edits(mmu))
		if (!apply_edits(vcpu, n < STUB_EDITS ? n : STUB_EDITS))
			return false;
	return true;
}

bool shadow_vcpu_load(struct vcpu *vcpu)
{
	struct shadow_vm *s = vcpu->vm->shadow;
	const struct shadow_view view = shadow_vcpu_view(vcpu);
	bool built;
	maddr_t root;

	if (!stage2_ptr(&vcpu->vm->stage2, view.walk.cr3, PAGE_SIZE)) {
		if (!vcpu_violation(vcpu, view.walk.cr3))
			vm_kill(vcpu, "CR3 leads outside memory, to 0x%llx",
			        (unsigned long long)gpa_raw(view.walk.cr3));
		return false;
	}
	if (!shadow_root(s->mmu, &vcpu->counters, &view, &root, &built)) {
		log_error("the memory for shadow tables is too small (--shadow-memory)");
		vm_end(vcpu->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
		return false;
	}
	if (root.raw != vcpu->shadow->root.raw)
		counter_inc(&vcpu->counters, built ? CTR_SHADOW_ROOTS_MISSED : CTR_SHADOW_ROOTS_HIT);
	if (!apply_edits_beforehand(vcpu, root))
		return false;
	prepare_registers(vcpu, root);
	return true;
}
