/* SPDX-License-Identifier: MIT */
/* A division by zero that MXCSR does not mask is #XM with CR4.OSXMMEXCPT, and #UD without: SDM vol. 3, 2.5. */
#include "program.inc"

#define DIVIDE_BY_ZERO_UNMASKED 0x1d80

start:
	PREPARE_PROGRAM
	mov %cr4, %rbx
	or $CR4_OSFXSR, %ebx
	mov %rbx, %cr4
	RUN divide
	EXPECT VEC_UD, 1
	EXPECT_RIP AT(divides), 2
	or $CR4_OSXMMEXCPT, %ebx
	mov %rbx, %cr4
	RUN divide
	EXPECT VEC_XM, 3
	EXPECT_RIP AT(divides), 4
	EXIT 0
divide:	ldmxcsr control(%rip)
	mov $1, %eax
	cvtsi2ss %eax, %xmm1
	xorps %xmm0, %xmm0
divides: divss %xmm0, %xmm1
	jmp .

	.data
control: .long DIVIDE_BY_ZERO_UNMASKED
