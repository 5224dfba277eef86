/* SPDX-License-Identifier: MIT */
/* The guest's registers and bytes in either mode, for messages and for starting a CPU like another. */
#include <errno.h>
#include <sys/ioctl.h>

#include "paging/shadow_vm.h"
#include "vm/vcpu.h"

static void virtual_registers(const struct cpu_state *c, struct kvm_regs *r, struct kvm_sregs *s)
{
	const uint64_t *g = c->gpr;

	*r = (struct kvm_regs){.rax = g[0], .rcx = g[1], .rdx = g[2], .rbx = g[3], .rsp = g[4], .rbp = g[5],
			       .rsi = g[6], .rdi = g[7], .r8 = g[8], .r9 = g[9], .r10 = g[10], .r11 = g[11],
			       .r12 = g[12], .r13 = g[13], .r14 = g[14], .r15 = g[15], .rip = c->rip,
			       .rflags = c->rflags};
	*s = (struct kvm_sregs){.cr0 = c->cr0, .cr2 = c->cr2, .cr3 = c->cr3, .cr4 = c->cr4, .efer = c->efer,
				.cs.selector = c->seg[SEG_CS].selector, .ss.selector = c->seg[SEG_SS].selector,
				.ss.dpl = c->cpl, .idt = {.base = c->idtr.base, .limit = c->idtr.limit},
				.gdt = {.base = c->gdtr.base, .limit = c->gdtr.limit}};
}

int vcpu_get_registers(struct vcpu *vcpu, struct kvm_regs *ret_regs, struct kvm_sregs *ret_sregs)
{
	if (vcpu->shadow) {
		virtual_registers(&vcpu->shadow->cpu, ret_regs, ret_sregs);
		return 0;
	}
	if (ioctl(vcpu->fd, KVM_GET_REGS, ret_regs) < 0 || ioctl(vcpu->fd, KVM_GET_SREGS, ret_sregs) < 0)
		return -errno;
	return 0;
}

static bool peek(struct vcpu *vcpu, gpa_t at, uint8_t *ret_byte)
{
	int r;

	vcpu_pin(vcpu);
	r = stage2_read(&vcpu->vm->stage2, at, ret_byte, 1);
	vcpu_unpin(vcpu);
	return r == 0;
}

bool vcpu_peek(struct vcpu *vcpu, gva_t at, uint8_t *ret_byte)
{
	struct kvm_translation t = {.linear_address = gva_raw(at)};

	if (vcpu->shadow) {
		const struct shadow_view view = shadow_vcpu_view(vcpu);
		struct walk w;

		guest_walk(&vcpu->vm->stage2, &view.walk, at, (struct walk_access){.ac = true}, false, &w);
		return w.outcome == WALK_OK && peek(vcpu, w.gpa, ret_byte);
	}
	return ioctl(vcpu->fd, KVM_TRANSLATE, &t) == 0 && t.valid && peek(vcpu, gpa_init(t.physical_address), ret_byte);
}
