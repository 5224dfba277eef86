/* SPDX-License-Identifier: MIT */
/* A reserved bit in a present entry of any level: #PF with RSVD, whatever the access; none in one not present. */
#include "shadow-fault/fault.inc"

start:
	PREPARE
	mov $0x80000008, %eax
	cpuid
	mov $TEST, %rsi
	cmp $52, %al
	je levels /* then no address bit is reserved */

	/* Address bit 51 in the leaf. */
	mov $(PTE_P | PTE_W | 1 << 51), %rax
	add $page, %rax
	mov %rax, pt
	TRY mov (%rsi), %rdi
	EXPECT_PF PFEC_P | PFEC_RSVD, TEST, 1
	TRY mov %rdi, (%rsi)
	EXPECT_PF PFEC_P | PFEC_RSVD | PFEC_W, TEST, 4
	TRY jmp *%rsi
	EXPECT_PF PFEC_P | PFEC_RSVD | PFEC_I, TEST, 7
	andq $~PTE_P, pt
	invlpg (%rsi)
	TRY mov (%rsi), %rdi
	EXPECT_PF 0, TEST, 10

levels:	/* PS in the PML4, and the low address bits of a 2 MiB page. */
	MAP 0, page, PTE_W
	TRY mov (%rsi), %rdi
	EXPECT_NONE 13
	mov %cr3, %rbx
	orq $PTE_PS, TEST_PML4E(%rbx)
	mov %rbx, %cr3
	TRY mov (%rsi), %rdi
	EXPECT_PF PFEC_P | PFEC_RSVD, TEST, 14
	andq $~PTE_PS, TEST_PML4E(%rbx)
	mov %rbx, %cr3
	TRY mov (%rsi), %rdi
	EXPECT_NONE 17
	movq $(0x202000 | PTE_P | PTE_W | PTE_PS), pd + 8
	mov $TEST_LARGE(1), %rsi
	TRY mov %rdi, (%rsi)
	EXPECT_PF PFEC_P | PFEC_RSVD | PFEC_W, TEST_LARGE(1), 18
	EXIT 0
