/* SPDX-License-Identifier: MIT */
/*
 * The real CPU in shadow mode: at CPL 0 it has the stub's descriptor tables, at CPL 3 what the guest's control registers ask
 * for. On a host that does not obey these (kvm_pvm, whose CPL 3 has the host's) they are left alone.
 */
#include <errno.h>
#include <gnomon/x86.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kvm/cpu_regs.h"
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

#define NR_ENTRIES 5

int shadow_real_start(struct vcpu *vcpu)
{
	struct shadow_vm *s = vcpu->vm->shadow;
	struct shadow_vcpu *v = vcpu->shadow;
	const struct kvm_msr_entry entry[NR_ENTRIES] = {{.index = MSR_STAR, .data = (uint64_t)STUB_CS << 32},
	                                      {.index = MSR_LSTAR, .data = stub_address(stub_syscall)},
	                                      {.index = MSR_SYSCALL_MASK, .data = ~0u},
	                                      /* SYSENTER at the real CPL 3 is refused, whatever nested mode left */
	                                      {.index = MSR_SYSENTER_CS, .data = 0},
	                                      {.index = MSR_TSC_AUX, .data = 0}};
	const int r = cpu_regs_set_msrs(vcpu->fd, entry, NR_ENTRIES);

	if (r < NR_ENTRIES - 1)
		return log_errno(r < 0 ? -r : EIO, "KVM_SET_MSRS");
	s->cpu_ops.limits.tsc_aux = r == NR_ENTRIES && s->obeyed; /* KVM stops at an MSR that it does not know */
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
	    cpu_regs_set_msrs(vcpu->fd, &(struct kvm_msr_entry){.index = MSR_TSC_AUX, .data = tsc_aux}, 1) == 1)
		v->real_tsc_aux = tsc_aux;
}
