/* SPDX-License-Identifier: MIT */
/* 2 MiB pages, and 1 GiB pages where CPUID offers them: one memory with the 4 KiB pages, A and D in the large entry. */
#include "shadow-fault/fault.inc"

#define LARGE 0x1000000 /* 16 MiB: not the image's */

start:
	PREPARE
	movq $0x1111, LARGE
	movq $0x2222, LARGE + 0x1ff000
	movq $(LARGE | PTE_P | PTE_W | PTE_PS), pd + 8
	mov $TEST_LARGE(1), %rsi
	cmpq $0x1111, (%rsi)
	CHECK e, 1
	cmpq $(LARGE | PTE_P | PTE_W | PTE_PS | PTE_A), pd + 8
	CHECK e, 2
	cmpq $0x2222, 0x1ff000(%rsi)
	CHECK e, 3
	movq $0x3333, 0x1ff000(%rsi)
	cmpq $0x3333, LARGE + 0x1ff000
	CHECK e, 4
	cmpq $(LARGE | PTE_P | PTE_W | PTE_PS | PTE_A | PTE_D), pd + 8
	CHECK e, 5

	/* Split: the same entry becomes a table with one page. */
	MAP 1, other, PTE_W
	movq $0x4444, other
	movq $(pt + (PTE_P | PTE_W)), pd + 8
	mov %cr3, %rax
	mov %rax, %cr3
	cmpq $0x4444, 0x1000(%rsi)
	CHECK e, 6
	TRY mov (%rsi), %rax
	EXPECT_PF 0, TEST_LARGE(1), 7

	/* A page table that lies in a large page, changed through it. */
	movq $(PTE_P | PTE_W | PTE_PS), pd + 16 /* the first 2 MiB: the image */
	mov $TEST_LARGE(2), %rdi
	movq $0x5555, page
	movq $(page + (PTE_P | PTE_W)), pt + 8 - 0(%rdi)
	invlpg 0x1000(%rsi)
	cmpq $0x5555, 0x1000(%rsi)
	CHECK e, 10

	mov $0x80000001, %eax
	cpuid
	mov %edx, %ebp
	mov $(PTE_P | PTE_W | PTE_PS), %rax
	mov %rax, pdpt + 8
	mov $TEST_HUGE(1), %rsi
	TRY mov LARGE(%rsi), %rdi
	bt $26, %ebp
	jc huge
	EXPECT_PF PFEC_P | PFEC_RSVD, TEST_HUGE(1) + LARGE, 11
	EXIT 0
huge:
	EXPECT_NONE 14
	cmp $0x1111, %rdi
	CHECK e, 15
	EXIT 0
