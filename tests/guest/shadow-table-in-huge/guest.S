/* SPDX-License-Identifier: MIT */
/*
 * Memory that a page of 1 GiB maps becomes a page table, and is changed through that page. What it says counts behind
 * INVLPG; the other memory there is as it was.
 */
#include "shadow-fault/fault.inc"

#define BLOCK 0x1000000 /* 2 MiB of guest memory */

start:
	PREPARE
	movq $0x1111, BLOCK + 0x8000
	movq $(PTE_P | PTE_W | PTE_PS), pdpt + 8
	mov $TEST_HUGE(1), %rsi
	mov BLOCK(%rsi), %rdi
	movq $0x5555, page
	movq $0x6666, other
	movq $(page + PTE_P + PTE_W), BLOCK + 8
	movq $(BLOCK + PTE_P + PTE_W), pd + 8
	mov $(TEST_LARGE(1) + 0x1000), %rbx
	cmpq $0x5555, (%rbx)
	CHECK e, 1
	mov %cr3, %rax
	mov %rax, %cr3
	cmpq $0x1111, BLOCK + 0x8000(%rsi)
	CHECK e, 2
	movq $(other + PTE_P + PTE_W), BLOCK + 8(%rsi)
	invlpg (%rbx)
	cmpq $0x6666, (%rbx)
	CHECK e, 3
	cmpq $0x1111, BLOCK + 0x8000(%rsi)
	CHECK e, 4
	EXIT 0
