/* SPDX-License-Identifier: MIT */
/*
 * CR4.SMAP without SMEP: the kernel may run a page that programs may use, all instructions of it, but it may not read
 * or write such a page, that one included, while RFLAGS.AC is clear: APM2 5.6.5 and 5.6.6.
 */
#include "program.inc"

start:
	PREPARE_PROGRAM
	mov %cr4, %rax
	or $CR4_OSFXSR, %eax
	mov %rax, %cr4
	MAP 0, code, PTE_W | PTE_U
	MAP 1, page, PTE_W | PTE_U
	ASK_CPUID 7
	bt $20, %r9d
	jnc 9f
	mov %cr4, %rax
	or $CR4_SMAP, %eax
	mov %rax, %cr4
	mov $PAGE(0), %rbp
	TRY call *%rbp
	EXPECT NONE, 1
	cmp $15, %r9
	CHECK e, 2
	/* Its data, beside it and elsewhere: refused, whatever the instruction. */
	lea (loads - code)(%rbp), %rbx
	TRY call *%rbx
	EXPECT_ERROR VEC_PF, PFEC_P, 3
	lea (stores - code)(%rbp), %rbx
	TRY call *%rbx
	EXPECT_ERROR VEC_PF, PFEC_P | PFEC_W, 5
	lea (vector_loads - code)(%rbp), %rbx
	TRY call *%rbx
	EXPECT_ERROR VEC_PF, PFEC_P, 7
	lea (vector_stores - code)(%rbp), %rbx
	TRY call *%rbx
	EXPECT_ERROR VEC_PF, PFEC_P | PFEC_W, 9
	lea (elsewhere - code)(%rbp), %rbx
	TRY call *%rbx
	EXPECT_ERROR VEC_PF, PFEC_P | PFEC_W, 11
	/* Operands that no byte of the instruction names, or that only end there. */
	MAP 3, other, PTE_W
	MAP 4, other, PTE_W | PTE_U
	lea (crosses_in - code)(%rbp), %rcx
	TRY call *%rcx
	EXPECT_ERROR VEC_PF, PFEC_P, 15
	lea (crosses_out - code)(%rbp), %rcx
	TRY call *%rcx
	EXPECT_ERROR VEC_PF, PFEC_P | PFEC_W, 17
	lea (crosses_x87 - code)(%rbp), %rcx
	TRY call *%rcx
	EXPECT_ERROR VEC_PF, PFEC_P, 19
	lea (translates - code)(%rbp), %rcx
	TRY call *%rcx
	EXPECT_ERROR VEC_PF, PFEC_P, 21
	mov %rdx, %rbx
	lea (enters - code)(%rbp), %rcx
	TRY call *%rcx
	EXPECT_ERROR VEC_PF, PFEC_P, 23
	mov $PAGE(0), %rbp
	/* With AC all of it goes. */
	stac
	TRY call *%rbx
	EXPECT NONE, 13
	lea (vector_stores - code)(%rbp), %rbx
	TRY call *%rbx
	EXPECT NONE, 14
	clac
9:	EXIT 0

	.balign 4096
code:	mov $5, %ecx
	xor %r9d, %r9d
1:	inc %r9
	lea 1(%r9), %r10
	imul $3, %ecx, %r11d
	dec %ecx
	jnz 1b
	add $10, %r9
	movaps %xmm0, %xmm1
	push %rax
	pop %rax
	ret
loads:	mov data(%rip), %rax
	ret
stores:	movq $1, data(%rip)
	ret
vector_loads:
	movups data(%rip), %xmm0
	ret
vector_stores:
	movups %xmm0, data(%rip)
	ret
elsewhere:
	mov $PAGE(1), %rax
	movups %xmm0, (%rax)
	ret
crosses_in:
	mov $(PAGE(3) + 0xff8), %rax
	movups (%rax), %xmm0
	ret
crosses_out:
	mov $(PAGE(3) + 0xff8), %rax
	movups %xmm0, (%rax)
	ret
crosses_x87:
	mov $(PAGE(3) + 0xff8), %rax
	fldt (%rax)
	ret
translates:
	mov %rbx, %rdx
	mov $(PAGE(3) + 0xfff), %rbx
	mov $1, %eax
	xlat
	ret
enters:	mov $(PAGE(4) + 0x800), %rbp
	enter $8, $2
	ret
	.balign 16
data:	.quad 0, 0
	.balign 4096
