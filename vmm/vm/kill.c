/* SPDX-License-Identifier: MIT */
/* The end of a guest that made a mistake: one sentence, its registers, the bytes at RIP. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "vm/vcpu.h"

#define INSN_MAX 15 /* APM3 1.1: the longest instruction */

static void print_bytes_at_rip(struct vcpu *vcpu, const struct cpu_state *c)
{
	fprintf(stderr, "  bytes at RIP:");
	for (uint64_t i = 0; i < INSN_MAX; i++) {
		uint8_t byte;

		/* Byte by byte: an instruction may cross into a page that is not mapped. */
		if (!vcpu_peek(vcpu, c, gva_init(c->rip + i), &byte)) {
			fprintf(stderr, "%s", i ? "" : " not mapped");
			break;
		}
		fprintf(stderr, " %02x", byte);
	}
	fputc('\n', stderr);
}

void vcpu_print(struct vcpu *vcpu)
{
	const uint64_t *g;
	struct cpu_state c;

	if (vcpu->vm->paging->get_state(vcpu, &c) < 0)
		return;
	g = c.gpr;
	fprintf(stderr,
	        "  vCPU %d at CPL %d\n"
	        "  rip %016" PRIx64 "  rflags %016" PRIx64 "\n"
	        "  rax %016" PRIx64 "  rbx %016" PRIx64 "  rcx %016" PRIx64 "  rdx %016" PRIx64 "\n"
	        "  rsi %016" PRIx64 "  rdi %016" PRIx64 "  rbp %016" PRIx64 "  rsp %016" PRIx64 "\n"
	        "  r8  %016" PRIx64 "  r9  %016" PRIx64 "  r10 %016" PRIx64 "  r11 %016" PRIx64 "\n"
	        "  r12 %016" PRIx64 "  r13 %016" PRIx64 "  r14 %016" PRIx64 "  r15 %016" PRIx64 "\n"
	        "  cr0 %016" PRIx64 "  cr2 %016" PRIx64 "  cr3 %016" PRIx64 "  cr4 %016" PRIx64 "\n"
	        "  efer %016" PRIx64 "  cs %04x  ss %04x  idt %016" PRIx64 "/%x  gdt %016" PRIx64 "/%x\n",
	        vcpu->id, c.cpl, c.rip, c.rflags, g[GPR_RAX], g[GPR_RBX], g[GPR_RCX], g[GPR_RDX], g[GPR_RSI],
	        g[GPR_RDI], g[GPR_RBP], g[GPR_RSP], g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15], c.cr0, c.cr2,
	        c.cr3, c.cr4, c.efer, c.seg[SEG_CS].selector, c.seg[SEG_SS].selector, c.idtr.base, c.idtr.limit,
	        c.gdtr.base, c.gdtr.limit);
	print_bytes_at_rip(vcpu, &c);
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
	if (!vm_has_ended(vcpu->vm)) {
		fprintf(stderr, "gnomon: guest killed: %s\n", sentence);
		vcpu_print(vcpu);
		vm_end(vcpu->vm, VM_KILLED, STATUS_KILLED);
	}
	funlockfile(stderr);
}
