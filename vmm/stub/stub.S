/* SPDX-License-Identifier: MIT */
/*
 * The blob that becomes STUB_TEXT (see stub.h). Position-independent; every
 * instruction costs up to a microsecond where KVM emulates CPL 0, so there are few.
 */
#include "stub/stub.h"

	.section .rodata
	.balign 16
	.globl stub_text, stub_text_end, stub_syscall, stub_traps_end
	.globl stub_leave, stub_leave_cr3, stub_leave_edits, stub_apply_edits

/* Vector n enters at STUB_TEXT + 16 n. The CPU pushes an error code for 8, 10-14, 17, 21, 29, 30. */
stub_text:
	.set vector, 0
	.rept STUB_VECTORS
	.balign 16
	.if !((0x60227d00 >> vector) & 1) || vector >= 32
	push $0
	.endif
	push $vector
	out %al, $STUB_PORT_TRAP
	hlt	/* the VMM never resumes here */
	.set vector, vector + 1
	.endr

	.balign 16
stub_syscall:
	out %al, $STUB_PORT_SYSCALL
	hlt
stub_traps_end:

/* RDX new CR3, RCX number of edits, RSI first edit, R8 mailbox; RSP at the guest's RDX, before the IRETQ frame. */
stub_leave_edits:
	call store_edits
	mov MAILBOX_RAX(%r8), %rax
	mov MAILBOX_RCX(%r8), %rcx
	mov MAILBOX_RSI(%r8), %rsi
	mov MAILBOX_RDI(%r8), %rdi
	mov MAILBOX_R8(%r8), %r8
/* RDX new CR3; RSP likewise. */
stub_leave_cr3:
	mov %rdx, %cr3
	pop %rdx
stub_leave:
	iretq

/* The same stores, with the VMM waiting for them. */
stub_apply_edits:
	call store_edits
	mov %rdx, %cr3
	out %al, $STUB_PORT_DONE
	hlt

/* RFLAGS.DF is clear here. A and D bits that the CPU set in the old entry go with it. */
store_edits:
	lodsq
	mov %rax, %rdi
	movsq
	loop store_edits
	ret
stub_text_end:
	.section .note.GNU-stack, "", @progbits
