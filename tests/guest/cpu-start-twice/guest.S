/* SPDX-License-Identifier: MIT */
/* The second request for one CPU is a mistake. */
#include "guest.inc"

start:
	START_CPU request
	WAIT_FOR running
	START_CPU request
	EXIT 1

ap:
	movl $1, running
1:	pause
	jmp 1b

	.data
running:
	.long 0
CPU_START_REQUEST request, GNOMON_ABI_VERSION, 1, ap
