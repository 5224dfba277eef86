/* SPDX-License-Identifier: MIT */
/* A leaf table that maps itself writable: what is written through it, to its own entry too, counts after INVLPG. */
#include "shadow-fault/fault.inc"

start:
	PREPARE
	movq $0x1111, page
	movq $0x2222, other
	MAP 0, pt, PTE_W
	mov $TEST, %rsi
	mov $TEST_PAGE(1), %rdi

	/* From nothing to a mapping: no INVLPG needed. */
	movq $(page + (PTE_P | PTE_W)), 8(%rsi)
	cmpq $0x1111, (%rdi)
	CHECK e, 1
	/* To another page, by a locked instruction, and in halves. */
	mov $(other + (PTE_P | PTE_W)), %eax
	xchg %rax, 8(%rsi)
	invlpg (%rdi)
	cmpq $0x2222, (%rdi)
	CHECK e, 2
	movl $(page + (PTE_P | PTE_W)), 8(%rsi)
	invlpg (%rdi)
	cmpq $0x1111, (%rdi)
	CHECK e, 3
	/* To read-only and to nothing. */
	lock andq $~PTE_W, 8(%rsi)
	invlpg (%rdi)
	TRY movq $1, (%rdi)
	EXPECT_PF PFEC_P | PFEC_W, TEST_PAGE(1), 4
	movb $0, 8(%rsi)
	invlpg (%rdi)
	TRY cmpq $0, (%rdi)
	EXPECT_PF 0, TEST_PAGE(1), 7
	/* The entry under our feet. */
	movq $(page + (PTE_P | PTE_W)), (%rsi)
	invlpg (%rsi)
	cmpq $0x1111, (%rsi)
	CHECK e, 10
	movq $0x3333, (%rsi)
	cmpq $0x3333, page
	CHECK e, 11
	EXIT 0
