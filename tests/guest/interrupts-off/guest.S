/* SPDX-License-Identifier: MIT */
/*
 * Spins with interrupts off, half of the time at bytes that a VMM which decodes backward can take for a software
 * interrupt: each MOV ends with the opcode of INTO.
 */
#include "guest.inc"

start:
	PRINT text
1:	.rept 4
	mov %rcx, %rsi
	nop
	.endr
	jmp 1b

	.data
text:	.ascii "spinning\n"
text_end:
