/* SPDX-License-Identifier: MIT */
/*
 * A #PF in the delivery of an exception, #UD here, whose stack is an IST's: CR2 is where the uppermost push that cannot
 * be done goes, since SS is pushed first (SDM vol. 3 6.12.1), and what a TLB held of that address counts no more (4.10.4.1).
 */
#include "program.inc"

#define IST1 36

/* #UD with this top of its stack. Clobbers rax, and what the handler does. */
.macro UD_ON top
	movabs $(\top), %rax
	mov %rax, tss + IST1
	TRY ud2
.endm

start:
	PREPARE_PROGRAM
	movb $1, idt + 16 * VEC_UD + 4
	mov %cr0, %rax
	or $CR0_WP, %rax
	mov %rax, %cr0
	movq $0x1111, page + 8
	movq $0x2222, other + 8

	/* One page, and two of which both, the lower or the upper are absent. */
	UD_ON (PAGE(0) + 0x800)
	EXPECT_ERROR VEC_PF, PFEC_W, 1
	EXPECT_CR2 (PAGE(0) + 0x7f8), 2
	UD_ON (PAGE(1) + 0x10)
	EXPECT_CR2 (PAGE(1) + 8), 3
	MAP 1, page, PTE_W
	UD_ON (PAGE(1) + 0x10)
	EXPECT_CR2 (PAGE(1) - 8), 4
	movq $0, pt + 8
	movabs $PAGE(1), %rax
	invlpg (%rax)
	MAP 0, page, PTE_W
	UD_ON (PAGE(1) + 0x10)
	EXPECT_CR2 (PAGE(1) + 8), 5

	/* Another page, and read-only, without a flush. */
	movabs $PAGE(0), %rbx
	mov %cr3, %rax
	mov %rax, %cr3
	movq $0x1111, 8(%rbx)
	movq $(other + PTE_P + PTE_A), pt
	UD_ON (PAGE(0) + 0x800)
	cmpq $VEC_UD, vector /* the TLB still had the page */
	je done
	EXPECT_ERROR VEC_PF, (PFEC_P | PFEC_W), 6
	mov 8(%rbx), %rcx
	cmp $0x2222, %rcx
	CHECK e, 7
done:	EXIT 0
