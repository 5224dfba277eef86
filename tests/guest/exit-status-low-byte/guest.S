/* SPDX-License-Identifier: MIT */
/* Of a wider write only the low byte counts. */
#include "guest.inc"

start:
	mov $0x12345607, %eax
	out %eax, $GNOMON_PORT_EXIT
1:	jmp 1b
