/* SPDX-License-Identifier: MIT */
/*
 * A privileged instruction of the kernel's that goes on in a page that is absent: #PF there, with I, whatever a CPU makes
 * of the first bytes (SDM vol. 3 6.9, table 6-2). Once the page is there it is executed.
 */
#include "program.inc"

/* The `bytes` at the end of PAGE(0); the instruction goes on in PAGE(1). Clobbers rcx, rsi, rdi, r11. */
.macro AT_END_OF_PAGE bytes:vararg
	mov $1f, %esi
	mov $2f - 1f, %ecx
	mov $page + 4096, %edi
	sub %rcx, %rdi
	movabs $PAGE(1), %r11
	sub %rcx, %r11
	rep movsb
	jmp 3f
1:	.byte \bytes
2:
3:
.endm

start:
	PREPARE_PROGRAM
	MAP 0, page, PTE_W
	movb $0xc0, other        /* ModRM: CR0 to RAX */
	movw $0xe3ff, other + 1 /* jmp *%rbx */
	mov $MSR_EFER, %ecx
	rdmsr
	or $EFER_NXE, %eax
	wrmsr

	AT_END_OF_PAGE 0x0f, 0x20
	TRY jmp *%r11
	EXPECT_ERROR VEC_PF, PFEC_I, 1
	EXPECT_CR2 PAGE(1), 3
	cmp %r11, fault_rip
	CHECK e, 4
	AT_END_OF_PAGE 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x0f, 0x20
	TRY jmp *%r11
	EXPECT_ERROR VEC_PF, PFEC_I, 5
	EXPECT_CR2 PAGE(1), 7
	AT_END_OF_PAGE 0xe4 /* in $imm8, %al */
	TRY jmp *%r11
	EXPECT_ERROR VEC_PF, PFEC_I, 8

	/* Present, but not for code. */
	MAP 1, other, 0
	btsq $63, pt + 8
	movabs $PAGE(1), %rax
	invlpg (%rax)
	AT_END_OF_PAGE 0x0f, 0x20
	TRY jmp *%r11
	EXPECT_ERROR VEC_PF, (PFEC_P | PFEC_I), 10

	MAP 1, other, 0
	mov $read, %ebx
	TRY jmp *%r11
	EXIT 12
read:	EXPECT NONE, 13
	mov %cr0, %rbx
	cmp %rax, %rbx
	CHECK e, 14
	EXIT 0
