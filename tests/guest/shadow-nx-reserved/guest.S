/* SPDX-License-Identifier: MIT */
/* With EFER.NXE off the NX bit is reserved; with it on again the mapping is good. */
#include "shadow-fault/fault.inc"

start:
	PREPARE
	MAP 0, page, PTE_W | PTE_NX
	mov $TEST, %rsi
	TRY mov (%rsi), %rdi
	EXPECT_NONE 1
	mov $MSR_EFER, %ecx
	rdmsr
	and $~EFER_NXE, %eax
	wrmsr
	mov %cr3, %rbx
	mov %rbx, %cr3
	TRY mov (%rsi), %rdi
	EXPECT_PF PFEC_P | PFEC_RSVD, TEST, 2
	mov $MSR_EFER, %ecx
	rdmsr
	or $EFER_NXE, %eax
	wrmsr
	mov %rbx, %cr3
	TRY mov (%rsi), %rdi
	EXPECT_NONE 5
	EXIT 0
