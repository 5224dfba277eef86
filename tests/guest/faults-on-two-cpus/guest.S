/* SPDX-License-Identifier: MIT */
/* Both CPUs do the same wrong thing at the same time. */
#include "guest.inc"

start:
	START_CPU request
	WAIT_FOR running
	mov 0x8000000, %eax
	EXIT 1

ap:
	movl $1, running
	mov 0x8000000, %eax
	EXIT 1

	.data
running:
	.long 0
CPU_START_REQUEST request, GNOMON_ABI_VERSION, 1, ap
