/* SPDX-License-Identifier: MIT */
/* A CPU that halted with IF off stays halted, whatever is sent to it; the others go on. */
#include "guest.inc"

start:
	LOAD_TABLES
	SET_GATE 0x40, handler
	START_CPU request
	WAIT_FOR ready
	mov $100, %ecx
1:	OUT32 GNOMON_PORT_IPI, $GNOMON_IPI(1, 0x40)
	dec %ecx
	jnz 1b
	EXIT 0

ap:
	LOAD_TABLES
	movl $1, ready
	hlt
	EXIT 1
handler:
	EXIT 2

	.data
ready:	.long 0
CPU_START_REQUEST request, GNOMON_ABI_VERSION, 1, ap
