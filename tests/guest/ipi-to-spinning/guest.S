/* SPDX-License-Identifier: MIT */
/* An interrupt reaches a CPU that runs without ever leaving the guest by itself. */
#include "guest.inc"

start:
	LOAD_TABLES
	SET_GATE 0xff, handler
	START_CPU request
	WAIT_FOR ready
	OUT32 GNOMON_PORT_IPI, $GNOMON_IPI(1, 0xff)
1:	pause
	jmp 1b

ap:
	LOAD_TABLES
	sti
	movl $1, ready
1:	pause
	jmp 1b

handler:
	EXIT 0

	.data
ready:	.long 0
CPU_START_REQUEST request, GNOMON_ABI_VERSION, 1, ap
