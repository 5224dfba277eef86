/* SPDX-License-Identifier: MIT */
/* An interrupt ends another CPU's HLT, after its handler has run. */
#include "guest.inc"

start:
	LOAD_TABLES
	SET_GATE 0x40, handler
	START_CPU request
	WAIT_FOR ready
	mov $100, %ecx /* time for the other CPU to reach its HLT */
	mov $GNOMON_PORT_NOP, %dx
1:	out %al, %dx
	dec %ecx
	jnz 1b
	OUT32 GNOMON_PORT_IPI, $GNOMON_IPI(1, 0x40)
	WAIT_FOR done
	EXIT 0

ap:
	LOAD_TABLES
	movl $1, ready
	sti
	hlt
	cmpl $1, handled
	CHECK e, 1
	movl $1, done
1:	pause
	jmp 1b

handler:
	incl handled
	iretq

	.data
ready:	.long 0
handled:
	.long 0
done:	.long 0
CPU_START_REQUEST request, GNOMON_ABI_VERSION, 1, ap
