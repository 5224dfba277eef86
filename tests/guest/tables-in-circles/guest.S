/* SPDX-License-Identifier: MIT */
/*
 * Half of the PML4's entries lead back to the PML4: whoever follows them all never ends. Entry 257 leads to where no memory
 * is.
 */
#include "guest.inc"

start:
	mov %cr3, %rbx
	lea PTE_P + PTE_W(%rbx), %rax
	mov $2, %ecx
1:	mov %rax, (%rbx, %rcx, 8)
	inc %ecx
	cmp $256, %ecx
	jne 1b
	movl $0xd0000000 + PTE_P + PTE_W, 257 * 8(%rbx)
	PRINT text
1:	pause
	jmp 1b

	.data
text:	.ascii "circling\n"
text_end:
