/* SPDX-License-Identifier: MIT */
/*
 * An interrupt that waits comes behind the one instruction that follows STI, whatever that is, and whether anything
 * traps afterwards or not (SDM vol. 2 STI). The handler notes where it came.
 */
#include "program.inc"

#define VECTOR 0x50

.macro SEND
	movl $0, seen
	OUT32 GNOMON_PORT_IPI, $GNOMON_IPI(0, VECTOR)
.endm
/* Behind `insn`, and nowhere else. */
.macro BEHIND status, insn:vararg
	SEND
	sti
	\insn
8:	nop
	nop
	cli
	cmpl $1, seen
	CHECK e, \status
	cmpq $8b, came_at
	CHECK e, \status
.endm

start:
	PREPARE_PROGRAM
	SET_GATE VECTOR, handler
	movl $0, page
	mov %cr4, %rax
	or $CR4_OSFXSR, %eax
	mov %rax, %cr4
	/* A polling point: what waits comes between NOP and CLI. */
	SEND
	sti
	nop
	cli
	cmpl $1, seen
	CHECK e, 1
	/* CLI at once: it does not come, */
	SEND
	sti
	cli
	cmpl $0, seen
	CHECK e, 2
	/* ... and nothing has forgotten it. */
	sti
1:	cmpl $0, seen
	je 1b
	cli
	cmpl $1, seen
	CHECK e, 3
	/* Instructions of all kinds, emulated or not. */
	BEHIND 4, mov $5, %eax
	BEHIND 5, mov %cr3, %rax
	BEHIND 6, movaps %xmm0, %xmm1
	BEHIND 7, out %al, $0x80
	BEHIND 8, mov page, %rax
	BEHIND 9, shll $1, page
	BEHIND 10, xchg %eax, page
	/* STI twice: the second one has no shadow of its own. */
	SEND
	sti
	sti
8:	nop
	cli
	cmpl $1, seen
	CHECK e, 11
	cmpq $8b, came_at
	CHECK e, 12
	/* PUSHF shows the guest's TF, though the VMM may single-step. */
	SEND
	sti
	pushfq
	nop
	cli
	pop %rax
	test $RFLAGS_TF, %eax
	CHECK z, 13
	cmpl $1, seen
	CHECK e, 14
	/* A jump to itself ends by the interrupt. */
	SEND
	mov $after_loop, %eax
	mov %rax, instead
	sti
8:	jmp 8b
after_loop:
	cli
	cmpl $1, seen
	CHECK e, 15
	/* ... by an instruction that the VMM does not emulate, too. */
	SEND
	mov $after_jrcxz, %eax
	mov %rax, instead
	xor %ecx, %ecx
	sti
8:	jrcxz 8b
after_jrcxz:
	cli
	cmpl $1, seen
	CHECK e, 16
	/* Nothing traps any more. */
	SEND
	sti
1:	cmpl $0, seen
	je 1b
	/* POPF of an image that PUSHF made lets none in, whoever executes the two: DR7 makes the VMM do one of them. */
	cli
	SEND
	pushfq
	mov $page, %eax
	mov %rax, %dr0
	mov $0x402, %eax
	mov %rax, %dr7
	popfq
	nop
	cmpl $0, seen
	CHECK e, 17
	mov $0x400, %eax
	mov %rax, %dr7
	sti
	nop
	cli
	EXIT 0

handler:
	incl seen
	push %rax
	mov 8(%rsp), %rax
	mov %rax, came_at
	xor %eax, %eax
	xchg %rax, instead
	test %rax, %rax
	jz 1f
	mov %rax, 8(%rsp)
1:	pop %rax
	iretq

	.data
	.balign 8
seen:	.long 0, 0
came_at: .quad 0
instead: .quad 0
