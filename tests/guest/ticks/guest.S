/* SPDX-License-Identifier: MIT */
/* Says that it runs, then leaves the guest again and again: whoever reads the exit counters sees whether it runs. */
#include "guest.inc"

start:
	PRINT text
1:	mov $GNOMON_PORT_NOP, %dx
	out %eax, %dx
	jmp 1b

	.data
text:	.ascii "ticking\n"
text_end:
