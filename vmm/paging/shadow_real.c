/* SPDX-License-Identifier: MIT */
/*
 * The real CPU in shadow mode: at CPL 0 it has the stub's descriptor tables, at CPL 3 what the guest's control registers ask
 * for. On a host that does not obey these (kvm_pvm, whose CPL 3 has the host's) they are left alone.
 */
#include <errno.h>
#include <gnomon/x86.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kvm/cpuid.h"
#include "paging/shadow_vm.h"
#include "vm/vcpu.h"
#include "cpu/real.h"
#include "stub/stub.h"

static void control_registers(const struct vcpu *vcpu, struct kvm_sregs *s)
{
	const struct real_control r = real_control(&vcpu->shadow->cpu, vcpu->vm->shadow->obeyed, cpuid_umip());

	s->cr0 = r.cr0;
	s->cr4 = r.cr4;
	s->efer = r.efer;
}

static void first_sregs(const struct vcpu *vcpu, struct kvm_sregs *s)
{
	const struct kvm_segment null = {.unusable = 1};

	*s = vcpu->start_sregs;
	s->cs.selector = STUB_CS;
	s->ss.selector = STUB_SS;
	s->ds = s->es = s->fs = s->gs = s->ldt = null;
	s->tr = (struct kvm_segment){.base = STUB_CPU((uint64_t)vcpu->id),
	                             .limit = 0x67,
	                             .selector = STUB_TR(vcpu->id),
	                             .type = 0xb,
	                             .present = 1};
	s->gdt.base = STUB_GDT;
	s->gdt.limit = STUB_TR(vcpu->vm->nr_vcpus) - 1;
	s->idt.base = STUB_IDT;
	s->idt.limit = STUB_VECTORS * 16 - 1;
	control_registers(vcpu, s);
}

/* The number of MSRs that KVM took, or -errno. */
static int set_msrs(struct vcpu *vcpu, const struct kvm_msr_entry *entry, unsigned n)
{
	uint64_t space[(sizeof(struct kvm_msrs) + 4 * sizeof(*entry)) / 8];
	struct kvm_msrs *m = (void *)space; /* ends in a flexible array */
	int r;

	BUG_ON(n > 4);
	*m = (struct kvm_msrs){.nmsrs = n};
	memcpy(m->entries, entry, n * sizeof(*entry));
	r = ioctl(vcpu->fd, KVM_SET_MSRS, m);
	return r < 0 ? -errno : r;
}

int shadow_real_start(struct vcpu *vcpu)
{
	struct shadow_vm *s = vcpu->vm->shadow;
	struct shadow_vcpu *v = vcpu->shadow;
	const struct kvm_msr_entry entry[] = {{.index = MSR_STAR, .data = (uint64_t)STUB_CS << 32},
	                                      {.index = MSR_LSTAR, .data = stub_address(stub_syscall)},
	                                      {.index = MSR_SYSCALL_MASK, .data = ~0u},
	                                      {.index = MSR_TSC_AUX, .data = 0}};
	const int r = set_msrs(vcpu, entry, 4);

	if (r < 3)
		return log_errno(r < 0 ? -r : EIO, "KVM_SET_MSRS");
	s->cpu_ops.limits.tsc_aux = r == 4 && s->obeyed; /* KVM stops at an MSR that it does not know */
	v->real_tsc_aux = 0;
	first_sregs(vcpu, &v->real);
	v->recycles = ~0ull; /* the first entry sets everything */
	return 0;
}

static void sync_sregs(struct vcpu *vcpu)
{
	struct shadow_vcpu *v = vcpu->shadow;
	struct kvm_sregs want = v->real;

	want.fs.base = v->cpu.seg[SEG_FS].base;
	want.gs.base = v->cpu.seg[SEG_GS].base;
	control_registers(vcpu, &want);
	if (v->recycles == vcpu->vm->shadow->recycles && v->real.fs.base == want.fs.base &&
	    v->real.gs.base == want.gs.base && v->real.cr0 == want.cr0 && v->real.cr4 == want.cr4 &&
	    v->real.efer == want.efer)
		return;
	want.cr2 = vcpu->run->s.regs.sregs.cr2; /* of a trap that is not reported yet */
	want.cr3 = maddr_raw(v->root);
	v->real = vcpu->run->s.regs.sregs = want;
	vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
	v->recycles = vcpu->vm->shadow->recycles;
}

void shadow_real_sync(struct vcpu *vcpu)
{
	struct shadow_vcpu *v = vcpu->shadow;
	const uint64_t tsc_aux = v->cpu.msrs.tsc_aux;

	sync_sregs(vcpu);
	if (v->real_tsc_aux != tsc_aux &&
	    set_msrs(vcpu, &(struct kvm_msr_entry){.index = MSR_TSC_AUX, .data = tsc_aux}, 1) == 1)
		v->real_tsc_aux = tsc_aux;
}
