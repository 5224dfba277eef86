/* SPDX-License-Identifier: MIT */
/* Whichever CPU writes the exit port ends all of them, also one that spins. */
#include "guest.inc"

start:
	START_CPU request
1:	pause
	jmp 1b

ap:
	EXIT 5

CPU_START_REQUEST request, GNOMON_ABI_VERSION, 1, ap
