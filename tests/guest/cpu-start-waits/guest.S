/* SPDX-License-Identifier: MIT */
/* A CPU that nobody starts does not run, and does not keep the machine from ending. */
#include "guest.inc"

start:
	mov $50, %ecx
	mov $GNOMON_PORT_NOP, %dx
1:	out %al, %dx
	dec %ecx
	jnz 1b
	EXIT 0
