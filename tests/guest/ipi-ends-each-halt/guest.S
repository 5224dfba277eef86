/* SPDX-License-Identifier: MIT */
/* Many times: HLT ends when, and only when, an interrupt was handled; none is lost, none counts twice. */
#include "guest.inc"

#define ROUNDS 300

start:
	LOAD_TABLES
	SET_GATE 0x40, handler
	START_CPU request
	WAIT_FOR ready
	xor %ebx, %ebx
1:	OUT32 GNOMON_PORT_IPI, $GNOMON_IPI(1, 0x40)
	inc %ebx
2:	pause
	cmp %ebx, rounds
	jne 2b
	cmp $ROUNDS, %ebx
	jne 1b
	cmpl $ROUNDS, handled
	CHECK e, 1
	EXIT 0

ap:
	LOAD_TABLES
	movl $1, ready
	xor %ebx, %ebx
1:	sti
	hlt
	cli
	inc %ebx
	cmp %ebx, handled
	CHECK e, 2
	mov %ebx, rounds
	jmp 1b

handler:
	incl handled
	iretq

	.data
ready:	.long 0
handled:
	.long 0
rounds:	.long 0
CPU_START_REQUEST request, GNOMON_ABI_VERSION, 1, ap
