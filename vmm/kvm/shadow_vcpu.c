/* SPDX-License-Identifier: MIT */
/* Into the guest and out of it in shadow mode: the virtual CPU's state and the real registers. */
#include <errno.h>
#include <gnomon/x86.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kvm/cpuid.h"
#include "kvm/reclaim.h"
#include "kvm/shadow_vm.h"
#include "kvm/vcpu.h"
#include "trap/stub.h"

/* RFLAGS bits that the guest's own code may carry at the real CPL 3. */
#define RFLAGS_REAL_MASK (0xdd5ull | RFLAGS_TF | RFLAGS_AC | (1 << 16) | (1 << 21))

struct shadow_view shadow_vcpu_view(const struct vcpu *vcpu)
{
	const struct cpu_state *c = &vcpu->shadow->cpu;

	return (struct shadow_view){
		.walk = {.cr3 = gpa_init(c->cr3 & PTE_ADDR),
			 .wp = c->cr0 & CR0_WP,
			 .nxe = c->efer & EFER_NXE,
			 .smep = c->cr4 & CR4_SMEP,
			 .smap = c->cr4 & CR4_SMAP,
			 .gbpages = vcpu->vm->shadow->mmu.gbpages,
			 .maxphyaddr = vcpu->vm->shadow->mmu.maxphyaddr},
		.user = c->cpl == 3,
		.ac = c->rflags & RFLAGS_AC,
	};
}

/* KVM's order of general registers, by x86 encoding. */
static void gprs_from_kvm(struct cpu_state *c, const struct kvm_regs *r)
{
	const uint64_t v[GPR_COUNT] = {r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp, r->rsi, r->rdi,
				       r->r8,  r->r9,  r->r10, r->r11, r->r12, r->r13, r->r14, r->r15};

	memcpy(c->gpr, v, sizeof(v));
}

static void gprs_to_kvm(const struct cpu_state *c, struct kvm_regs *r)
{
	const uint64_t *g = c->gpr;

	*r = (struct kvm_regs){.rax = g[0], .rcx = g[1], .rdx = g[2], .rbx = g[3], .rsp = g[4], .rbp = g[5],
			       .rsi = g[6], .rdi = g[7], .r8 = g[8], .r9 = g[9], .r10 = g[10], .r11 = g[11],
			       .r12 = g[12], .r13 = g[13], .r14 = g[14], .r15 = g[15], .rflags = RFLAGS_FIXED};
}

static struct cpu_segment segment_from_kvm(const struct kvm_segment *k)
{
	return (struct cpu_segment){
		.base = k->base,
		.limit = k->limit,
		.selector = k->selector,
		.attributes = k->type | k->s << 4 | k->dpl << SEG_DPL_SHIFT | k->present << 7 | k->avl << 12 |
			      k->l << 13 | k->db << 14 | k->g << 15,
	};
}

/* The virtual CPU begins with what a nested one really gets. */
static void first_state(struct cpu_state *c, const struct kvm_sregs *s, const struct kvm_regs *r)
{
	*c = (struct cpu_state){.rip = r->rip, .rflags = r->rflags, .cr0 = s->cr0, .cr3 = s->cr3, .cr4 = s->cr4,
				.efer = s->efer, .xcr0 = 1, .gdtr = {s->gdt.base, s->gdt.limit},
				.idtr = {s->idt.base, s->idt.limit}};
	gprs_from_kvm(c, r);
	c->seg[SEG_CS] = segment_from_kvm(&s->cs);
	c->seg[SEG_SS] = segment_from_kvm(&s->ss);
	c->seg[SEG_DS] = segment_from_kvm(&s->ds);
	c->seg[SEG_ES] = segment_from_kvm(&s->es);
	c->seg[SEG_FS] = segment_from_kvm(&s->fs);
	c->seg[SEG_GS] = segment_from_kvm(&s->gs);
	c->seg[SEG_TR] = segment_from_kvm(&s->tr);
	c->seg[SEG_LDTR] = segment_from_kvm(&s->ldt);
	c->dr[6] = 0xffff0ff0;
	c->dr[7] = 0x400;
	c->msrs.pat = 0x0007040600070406;
}

/* The real CPU: at CPL 0 in the stub, with the VMM's descriptor tables. */
static void real_sregs(const struct vcpu *vcpu, const struct kvm_sregs *start, struct kvm_sregs *s)
{
	const struct kvm_segment null = {.unusable = 1};

	*s = *start;
	s->cs.selector = STUB_CS;
	s->ss.selector = STUB_SS;
	s->ds = s->es = s->fs = s->gs = s->ldt = null;
	s->tr = (struct kvm_segment){
		.base = STUB_CPU((uint64_t)vcpu->id), .limit = 0x67, .selector = STUB_TR(vcpu->id), .type = 0xb, .present = 1};
	s->gdt.base = STUB_GDT;
	s->gdt.limit = STUB_TR(vcpu->vm->nr_vcpus) - 1;
	s->idt.base = STUB_IDT;
	s->idt.limit = STUB_VECTORS * 16 - 1;
	s->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	s->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | (cpuid_umip() ? CR4_UMIP : 0);
	s->efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
}

static int set_syscall_msrs(struct vcpu *vcpu)
{
	const struct kvm_msr_entry entry[] = {{.index = MSR_STAR, .data = (uint64_t)STUB_CS << 32},
					      {.index = MSR_LSTAR, .data = stub_address(stub_syscall)},
					      {.index = MSR_SYSCALL_MASK, .data = ~0u}};
	uint64_t space[(sizeof(struct kvm_msrs) + sizeof(entry)) / 8];
	struct kvm_msrs *m = (void *)space; /* ends in a flexible array */

	*m = (struct kvm_msrs){.nmsrs = 3};
	memcpy(m->entries, entry, sizeof(entry));
	return ioctl(vcpu->fd, KVM_SET_MSRS, m) == 3 ? 0 : log_errno(errno, "KVM_SET_MSRS");
}

int shadow_vcpu_start(struct vcpu *vcpu)
{
	struct shadow_vcpu *v = vcpu->shadow;

	if (!vcpu->vm->sync_regs) {
		log_error("shadow paging needs KVM_CAP_SYNC_REGS (Linux 4.17)");
		return -ENOTSUP;
	}
	first_state(&v->cpu, &vcpu->start_sregs, &vcpu->start_regs);
	real_sregs(vcpu, &vcpu->start_sregs, &v->real);
	v->where = SHADOW_AT_VMM;
	v->recycles = ~0ull; /* the first entry sets everything */
	vcpu->run->kvm_valid_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
	return set_syscall_msrs(vcpu);
}

/* --- out --- */

/* The guest ran again, so the leave code stored the edits that rode with it; reclaim may have queued more since. */
static void edits_stored(struct vcpu *vcpu)
{
	struct shadow *mmu = &vcpu->vm->shadow->mmu;
	/* A drop meanwhile took all of them away. */
	const unsigned n = vcpu->shadow->riding < mmu->nr_edits ? vcpu->shadow->riding : mmu->nr_edits;

	vcpu->shadow->riding = 0;
	mmu->nr_edits -= n;
	memmove(mmu->edit, mmu->edit + n, mmu->nr_edits * sizeof(*mmu->edit));
}

static void capture_common(struct vcpu *vcpu, uint64_t rip, uint64_t rflags, uint64_t rsp)
{
	struct shadow_vcpu *v = vcpu->shadow;
	const uint64_t iflag = v->cpu.rflags & (RFLAGS_IF | RFLAGS_IOPL);

	gprs_from_kvm(&v->cpu, &vcpu->run->s.regs.regs);
	v->cpu.gpr[GPR_RSP] = rsp;
	if (rip != v->cpu.rip)
		v->cpu.interrupt_shadow = false; /* the instruction behind STI ran */
	v->cpu.rip = rip;
	v->cpu.rflags = (rflags & ~(uint64_t)(RFLAGS_IF | RFLAGS_IOPL)) | iflag | (v->ac_hidden ? RFLAGS_AC : 0);
	v->cpu.seg[SEG_FS].base = vcpu->run->s.regs.sregs.fs.base;
	v->cpu.seg[SEG_GS].base = vcpu->run->s.regs.sregs.gs.base;
	v->real.fs = vcpu->run->s.regs.sregs.fs;
	v->real.gs = vcpu->run->s.regs.sregs.gs;
	v->where = SHADOW_AT_VMM;
	edits_stored(vcpu);
}

/* After the edits are stored, before anything is changed: the shadow must be in step. */
static void audit(struct vcpu *vcpu)
{
	struct shadow_vm *s = vcpu->vm->shadow;
	char text[256];

	if (!s->config.audit || s->mmu.nr_edits)
		return;
	if (!shadow_audit(&s->mmu, text, sizeof(text)))
		bug(__FILE__, __LINE__, text);
	counter_inc(&vcpu->counters, CTR_SHADOW_AUDITS);
}

static void lock(struct vcpu *vcpu)
{
	struct shadow_vm *s = vcpu->vm->shadow;

	atomic_store(&vcpu->shadow->in_guest, false);
	pthread_mutex_lock(&s->lock);
	s->mmu.counters = &vcpu->counters;
}

static void unlock(struct vcpu *vcpu)
{
	pthread_mutex_unlock(&vcpu->vm->shadow->lock);
}

/*
 * Where the guest or the stub's way in was interrupted, KVM may hold an event that it has not delivered yet, and of a
 * soft one (INT3) it does not even tell. So nothing is changed there: see pull_out().
 */
void shadow_vcpu_interrupted(struct vcpu *vcpu)
{
	const struct kvm_regs *r = &vcpu->run->s.regs.regs;
	const bool in_stub = !(vcpu->run->s.regs.sregs.cs.selector & 3);

	lock(vcpu);
	vcpu->shadow->where = SHADOW_INTERRUPTED;
	if (in_stub && r->rip >= stub_address(stub_traps_end)) {
		vcpu->shadow->where = SHADOW_AT_VMM;
		vcpu->shadow->flushes = ~0ull; /* it may not have come to loading CR3 */
	}
	unlock(vcpu);
}

/* An exception at CPL 0, in the stub itself: never the guest's doing. */
static void stub_faulted(struct vcpu *vcpu, uint64_t rsp)
{
	const uint64_t top = stub_iret_rsp(vcpu->id) + 5 * sizeof(uint64_t);
	const uint8_t *end = (const uint8_t *)(stub_frame(&vcpu->vm->shadow->stub, vcpu->id) + 1);
	const struct stub_frame *f = (const void *)(end - (top - rsp));

	log_error("vCPU %d: exception %llu (error 0x%llx, CR2 0x%llx) in the stub at 0x%llx", vcpu->id,
		  (unsigned long long)f->vector, (unsigned long long)f->error,
		  (unsigned long long)vcpu->run->s.regs.sregs.cr2, (unsigned long long)f->rip);
	vm_end(vcpu->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
}

void shadow_vcpu_trap(struct vcpu *vcpu)
{
	const struct stub_frame *f = stub_frame(&vcpu->vm->shadow->stub, vcpu->id);
	const struct kvm_regs *r = &vcpu->run->s.regs.regs;

	lock(vcpu);
	switch (vcpu->run->io.port) {
	case STUB_PORT_TRAP:
		if (r->rsp != stub_iret_rsp(vcpu->id) - 2 * sizeof(uint64_t)) {
			stub_faulted(vcpu, r->rsp);
			break;
		}
		capture_common(vcpu, f->rip, f->rflags, f->rsp);
		audit(vcpu);
		shadow_trap_handle(vcpu, f->vector, f->error);
		break;
	case STUB_PORT_SYSCALL:
		capture_common(vcpu, r->rcx, r->r11, r->rsp);
		audit(vcpu);
		shadow_trap_syscall(vcpu);
		break;
	default:
		BUG_ON(true); /* the guest has no port access of its own */
	}
	unlock(vcpu);
}

/* --- in --- */

static void write_frame(struct vcpu *vcpu)
{
	struct stub_frame *f = stub_frame(&vcpu->vm->shadow->stub, vcpu->id);
	struct shadow_vcpu *v = vcpu->shadow;
	const struct cpu_state *c = &v->cpu;

	if (!(c->rflags & RFLAGS_AC))
		v->ac_hidden = false;
	f->rip = c->rip;
	f->cs = STUB_USER_CS;
	f->rflags = (c->rflags & RFLAGS_REAL_MASK & ~(uint64_t)(v->ac_hidden ? RFLAGS_AC : 0)) | RFLAGS_FIXED | RFLAGS_IF;
	f->rsp = c->gpr[GPR_RSP];
	f->ss = STUB_USER_SS;
}

/* Hands the first `n` of the queued edits to this vCPU's mailbox, in the stub's addresses. */
static void write_edits(struct vcpu *vcpu, struct stub_mailbox *m, unsigned n)
{
	const struct shadow *mmu = &vcpu->vm->shadow->mmu;

	for (unsigned i = 0; i < n; i++) {
		const struct shadow_edit *e = &mmu->edit[i];

		m->edit[i] = (struct stub_edit){
			.entry = STUB_POOL + (maddr_raw(e->entry) - maddr_raw(mmu->pool_base)),
			.value = e->value.raw,
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

/* Sets the real segment and control registers from outside where the stub cannot: rarely. */
static void sync_sregs(struct vcpu *vcpu)
{
	struct shadow_vcpu *v = vcpu->shadow;

	if (v->recycles == vcpu->vm->shadow->recycles && v->real.fs.base == v->cpu.seg[SEG_FS].base &&
	    v->real.gs.base == v->cpu.seg[SEG_GS].base)
		return;
	v->real.cr2 = vcpu->run->s.regs.sregs.cr2; /* of a trap that is not reported yet */
	v->real.cr3 = maddr_raw(v->root);
	v->real.fs.base = v->cpu.seg[SEG_FS].base;
	v->real.gs.base = v->cpu.seg[SEG_GS].base;
	vcpu->run->s.regs.sregs = v->real;
	vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
	v->recycles = vcpu->vm->shadow->recycles;
}

static void prepare_registers(struct vcpu *vcpu, maddr_t root)
{
	struct shadow_vm *s = vcpu->vm->shadow;
	struct shadow_vcpu *v = vcpu->shadow;
	struct kvm_regs *r = &vcpu->run->s.regs.regs;
	const bool reload = root.raw != v->root.raw || v->flushes != s->mmu.flushes || s->mmu.nr_edits;

	v->root = root;
	sync_sregs(vcpu);
	write_frame(vcpu);
	gprs_to_kvm(&v->cpu, r);
	r->rsp = stub_iret_rsp(vcpu->id);
	r->rip = stub_address(stub_leave);
	if (reload)
		stub_call(vcpu, s->mmu.nr_edits ? stub_leave_edits : stub_leave_cr3, r, s->mmu.nr_edits);
	v->flushes = s->mmu.flushes;
	v->riding = s->mmu.nr_edits;
	vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
	vcpu->run->request_interrupt_window = 0;
}

/* One trip through the stub that stores the first `n` edits and takes them off the queue. */
static void apply_edits(struct vcpu *vcpu, unsigned n)
{
	struct shadow *mmu = &vcpu->vm->shadow->mmu;
	struct kvm_regs *r = &vcpu->run->s.regs.regs;
	int rc;

	*r = (struct kvm_regs){.rsp = stub_iret_rsp(vcpu->id), .rflags = RFLAGS_FIXED};
	sync_sregs(vcpu);
	stub_call(vcpu, stub_apply_edits, r, n);
	vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
	do {
		__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
		rc = ioctl(vcpu->fd, KVM_RUN, 0);
	} while (rc < 0 && (errno == EINTR || errno == EAGAIN));
	BUG_ON(rc < 0 || vcpu->run->exit_reason != KVM_EXIT_IO || vcpu->run->io.port != STUB_PORT_DONE);
	/* A kick meanwhile lost its immediate_exit above: what it was for is visible by now. */
	if (atomic_load(&vcpu->requests) || vcpu_pending_vector(vcpu) >= 0 || atomic_load(&vcpu->vm->paused))
		__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	mmu->nr_edits -= n;
	memmove(mmu->edit, mmu->edit + n, mmu->nr_edits * sizeof(*mmu->edit));
	counter_inc(&vcpu->counters, CTR_EXITS);
}

/*
 * Edits ride with the leave code, as many as the mailbox holds. What is more takes trips of its own; and with other
 * vCPUs about all do, for they must be stored before anyone else may go on.
 */
static void apply_edits_beforehand(struct vcpu *vcpu, maddr_t root)
{
	const struct shadow *mmu = &vcpu->vm->shadow->mmu;
	const unsigned ride = vcpu->vm->nr_vcpus == 1 ? STUB_EDITS : 0;

	if (mmu->nr_edits <= ride)
		return;
	vcpu->shadow->root = root;
	while (mmu->nr_edits > ride)
		apply_edits(vcpu, mmu->nr_edits < STUB_EDITS ? mmu->nr_edits : STUB_EDITS);
}

/*
 * An interrupted vCPU goes on where it was, unless something waits for it: then a real interrupt takes it into the
 * stub before the guest's next instruction, or the event that KVM holds does, and the trap comes as any other.
 */
static void pull_out(struct vcpu *vcpu)
{
	struct shadow_vm *s = vcpu->vm->shadow;
	struct shadow_vcpu *v = vcpu->shadow;
	const struct kvm_interrupt irq = {.irq = STUB_VECTOR_KICK};

	vcpu->run->request_interrupt_window = 0;
	if (v->flushes == s->mmu.flushes && vcpu_pending_vector(vcpu) < 0)
		return;
	if (v->recycles != s->recycles) {
		const struct shadow_view view = shadow_vcpu_view(vcpu);
		bool built;

		/* CR3 points into cleared memory: the way into the stub needs a root again. */
		if (!shadow_root(&s->mmu, &view, &v->root, &built)) {
			vm_end(vcpu->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
			return;
		}
		vcpu->run->s.regs.sregs.cr3 = maddr_raw(v->root);
		vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
		v->recycles = s->recycles;
	}
	if (vcpu->run->ready_for_interrupt_injection &&
	    (ioctl(vcpu->fd, KVM_INTERRUPT, &irq) == 0 || errno == EEXIST))
		return;
	vcpu->run->request_interrupt_window = 1;
}

bool shadow_vcpu_enter(struct vcpu *vcpu)
{
	struct shadow_vm *s = vcpu->vm->shadow;
	struct shadow_vcpu *v = vcpu->shadow;
	bool ok = true;

	lock(vcpu);
	if (v->where == SHADOW_INTERRUPTED)
		pull_out(vcpu);
	if (v->where == SHADOW_AT_VMM) {
		const struct shadow_view view = (shadow_trap_interrupts(vcpu), shadow_vcpu_view(vcpu));
		maddr_t root;
		bool built;

		if (!stage2_ptr(&vcpu->vm->stage2, view.walk.cr3, PAGE_SIZE)) {
			if (!vcpu_violation(vcpu, view.walk.cr3))
				vm_kill(vcpu, "CR3 leads outside memory, to 0x%llx",
					(unsigned long long)gpa_raw(view.walk.cr3));
			unlock(vcpu);
			return false;
		}
		ok = shadow_root(&s->mmu, &view, &root, &built);
		if (ok) {
			if (root.raw != v->root.raw)
				counter_inc(&vcpu->counters, built ? CTR_SHADOW_ROOTS_MISSED : CTR_SHADOW_ROOTS_HIT);
			apply_edits_beforehand(vcpu, root);
			prepare_registers(vcpu, root);
		} else {
			log_error("the memory for shadow tables is too small (--shadow-memory)");
			vm_end(vcpu->vm, VM_HOST_FAILED, STATUS_HOST_FAILURE);
		}
	}
	atomic_store(&v->in_guest, ok);
	unlock(vcpu);
	return ok;
}
