/* SPDX-License-Identifier: MIT */
/*
 * An instruction that ends at the last byte of the lower half of the addresses: the next fetch is #GP(0), at the
 * address behind it (SDM vol. 3 5.3.1). The instruction is one that the VMM emulates, one that it does not, in the
 * kernel and in a program.
 */
#include "program.inc"

#define LAST (X86_U64(0x800000000000) - 4096) /* the page */

.macro ENDS_WITH status, size, bytes:vararg
	.pushsection .data
10:	.byte \bytes
	.popsection
	mov $10b, %rsi
	mov $code + 4096 - \size, %rdi
	mov $\size, %ecx
	rep movsb
	mov $LAST + 4096 - \size, %rbx
	TRY jmp *%rbx
	EXPECT_ERROR VEC_GP, 0, \status
	EXPECT_RIP LAST + 4096, \status + 2
.endm

start:
	PREPARE_PROGRAM
	mov %cr3, %rsi
	movq $(last_pdpt + RIGHTS), 255 * 8(%rsi)
	movq $(last_pd + RIGHTS), last_pdpt + 511 * 8
	movq $(last_pt + RIGHTS), last_pd + 511 * 8
	movq $(code + RIGHTS), last_pt + 511 * 8
	ENDS_WITH 1, 1, 0xfa		/* cli */
	ENDS_WITH 4, 1, 0x90		/* nop */
	ENDS_WITH 7, 3, 0x0f, 0x20, 0xd8	/* mov %cr3, %rax */
	ENDS_WITH 10, 2, 0xe6, 0x80	/* out %al, $0x80 */
	movb $0x90, code + 4095
	RUN goes_there
	EXPECT_ERROR VEC_GP, 0, 13
	EXPECT_RIP LAST + 4096, 15
	EXIT 0

goes_there:
	movabs $LAST + 4095, %rax
	jmp *%rax

	.bss
	.balign 4096
last_pdpt: .skip 4096
last_pd: .skip 4096
last_pt: .skip 4096
code:	.skip 4096
