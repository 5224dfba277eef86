/* SPDX-License-Identifier: MIT */
/* A CR3 that no CPU accepts is the guest's mistake, not the host's failure. */
#include "guest.inc"

start:
	movq $-1, request + 24
	OUT32 GNOMON_PORT_CPU_START, $request
1:	pause
	jmp 1b

CPU_START_REQUEST request, GNOMON_ABI_VERSION, 1, start
