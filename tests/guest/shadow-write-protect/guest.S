/* SPDX-License-Identifier: MIT */
/* CR0.WP decides whether the kernel may write to a page that is read-only; each change of it counts at once. */
#include "shadow-fault/fault.inc"

start:
	PREPARE
	MAP 0, page, 0
	mov $TEST, %rsi
	mov %cr0, %rbx
	mov %rbx, %rbp
	and $~CR0_WP, %ebp
	TRY movq $1, (%rsi)
	EXPECT_PF PFEC_P | PFEC_W, TEST, 1
	testq $PTE_D, pt
	CHECK z, 4
	mov %rbp, %cr0
	TRY movq $2, (%rsi)
	EXPECT_NONE 5
	cmpq $2, page
	CHECK e, 6
	testq $PTE_D, pt
	CHECK nz, 7
	mov %rbx, %cr0
	TRY movq $3, (%rsi)
	EXPECT_PF PFEC_P | PFEC_W, TEST, 8
	cmpq $2, (%rsi)
	CHECK e, 11
	mov %rbp, %cr0
	TRY movq $4, (%rsi)
	EXPECT_NONE 12
	cmpq $4, page
	CHECK e, 13
	EXIT 0
