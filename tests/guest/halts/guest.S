/* SPDX-License-Identifier: MIT */
/* Two CPUs wake each other with interrupts, for ever: a halt ends with an interrupt, and with nothing else. */
#include "guest.inc"

#define VECTOR 0x40

	CPU_START_REQUEST request, GNOMON_ABI_VERSION, 1, other

	.data
	.balign 8
taken:	.quad 0, 0 /* interrupts, by CPU */
	.text

/* Sends an interrupt to CPU `to`. Clobbers eax, edx. */
.macro SEND to
	OUT32 GNOMON_PORT_IPI, $(\to << 8 | VECTOR)
.endm

/* Halts until one more interrupt was taken than rbx says; one alone may end it. */
.macro AWAIT self
	cli
	cmp taken + 8 * \self, %rbx
	jne 7f
	sti
	hlt
	cli
	cmp taken + 8 * \self, %rbx
	CHECK ne, 1
7:	inc %rbx
	sti
.endm

start:
	mov $stack_top, %rsp
	LOAD_TABLES
	SET_GATE VECTOR, interrupt
	xor %ebx, %ebx
	PRINT text
	START_CPU request
1:	AWAIT 0
	SEND 1
	jmp 1b

other:
	LOAD_TABLES
	xor %ebx, %ebx
1:	SEND 0
	AWAIT 1
	jmp 1b

/* Which CPU it is, the stack tells. */
interrupt:
	push %rax
	xor %eax, %eax
	cmp $stack_top, %rsp
	setae %al
	incq taken(, %rax, 8)
	pop %rax
	iretq

	.data
text:	.ascii "halting\n"
text_end:
