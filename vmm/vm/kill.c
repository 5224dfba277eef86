/* SPDX-License-Identifier: MIT */
/* The end of a guest that made a mistake: one sentence, its registers, the bytes at RIP. */
#include <stdarg.h>
#include <stdio.h>

#include "vm/vcpu.h"

#define INSN_MAX 15 /* APM3 1.1: the longest instruction */

static void print_bytes_at_rip(struct vcpu *vcpu, uint64_t rip)
{
	fprintf(stderr, "  bytes at RIP:");
	for (uint64_t i = 0; i < INSN_MAX; i++) {
		uint8_t byte;

		/* Byte by byte: an instruction may cross into a page that is not mapped. */
		if (!vcpu_peek(vcpu, gva_init(rip + i), &byte)) {
			fprintf(stderr, "%s", i ? "" : " not mapped");
			break;
		}
		fprintf(stderr, " %02x", byte);
	}
	fputc('\n', stderr);
}

void vcpu_print(struct vcpu *vcpu)
{
	struct kvm_regs r;
	struct kvm_sregs s;

	if (vcpu_get_registers(vcpu, &r, &s) < 0)
		return;
	fprintf(stderr,
	        "  vCPU %d at CPL %d\n"
	        "  rip %016llx  rflags %016llx\n"
	        "  rax %016llx  rbx %016llx  rcx %016llx  rdx %016llx\n"
	        "  rsi %016llx  rdi %016llx  rbp %016llx  rsp %016llx\n"
	        "  r8  %016llx  r9  %016llx  r10 %016llx  r11 %016llx\n"
	        "  r12 %016llx  r13 %016llx  r14 %016llx  r15 %016llx\n"
	        "  cr0 %016llx  cr2 %016llx  cr3 %016llx  cr4 %016llx\n"
	        "  efer %016llx  cs %04x  ss %04x  idt %016llx/%x  gdt %016llx/%x\n",
	        vcpu->id, s.ss.dpl, r.rip, r.rflags, r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9,
	        r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, s.cr0, s.cr2, s.cr3, s.cr4, s.efer, s.cs.selector,
	        s.ss.selector, s.idt.base, s.idt.limit, s.gdt.base, s.gdt.limit);
	print_bytes_at_rip(vcpu, r.rip);
}

static bool is_running(struct vm *vm)
{
	bool running;

	pthread_mutex_lock(&vm->lock);
	running = vm->end == VM_RUNNING;
	pthread_mutex_unlock(&vm->lock);
	return running;
}

void vm_kill(struct vcpu *vcpu, const char *fmt, ...)
{
	char sentence[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, args);
	va_end(args);
	/* Ended before the lock is given back: of several CPUs that go wrong at once, one is reported. */
	flockfile(stderr);
	if (is_running(vcpu->vm)) {
		fprintf(stderr, "gnomon: guest killed: %s\n", sentence);
		vcpu_print(vcpu);
		vm_end(vcpu->vm, VM_KILLED, STATUS_KILLED);
	}
	funlockfile(stderr);
}
