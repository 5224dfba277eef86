/* SPDX-License-Identifier: MIT */
/*
 * A #PF ends what a TLB holds of its address (SDM vol. 3 4.10.4.1), without a flush. Each page is used, its entry changes,
 * an access that both entries deny faults, and then the new entry counts.
 */
#include "shadow-fault/fault.inc"

start:
	PREPARE
	movq $0x1111, page
	movq $0x2222, other
	mov %cr0, %rax
	or $CR0_WP, %rax
	mov %rax, %cr0

	/* Read-only, then not there: a write faults either way, and then a read does, too. */
	movq $(page + PTE_P), pt + 8
	mov $TEST_PAGE(1), %rdi
	TRY mov (%rdi), %rsi
	EXPECT_NONE 1
	movq $0, pt + 8
	TRY mov %rsi, (%rdi)
	cmpq $VEC_PF, vector
	CHECK e, 2
	TRY mov (%rdi), %rsi
	cmpq $VEC_PF, vector
	CHECK e, 3

	/* Not to be executed, nor is the page after it: what is read then is the new one. */
	mov $(page + PTE_P), %rax
	bts $63, %rax /* NX */
	mov %rax, pt + 16
	mov $TEST_PAGE(2), %rdi
	TRY mov (%rdi), %rsi
	EXPECT_NONE 4
	mov $(other + PTE_P), %rax
	bts $63, %rax /* NX */
	mov %rax, pt + 16
	TRY jmp *%rdi
	cmpq $VEC_PF, vector
	CHECK e, 5
	TRY mov (%rdi), %rsi
	EXPECT_NONE 6
	cmp $0x2222, %rsi
	CHECK e, 7
	EXIT 0
