/* SPDX-License-Identifier: MIT */
/* Half of the PML4's entries lead back to the PML4: whoever follows them all never ends. */
#include "guest.inc"

start:
	mov %cr3, %rbx
	lea PTE_P + PTE_W(%rbx), %rax
	mov $2, %ecx
1:	mov %rax, (%rbx, %rcx, 8)
	inc %ecx
	cmp $256, %ecx
	jne 1b
	PRINT text
1:	pause
	jmp 1b

	.data
text:	.ascii "circling\n"
text_end:
