/* SPDX-License-Identifier: MIT */
/* Says that it runs, then waits for an interrupt that never comes. */
#include "guest.inc"

start:
	PRINT text
	sti
1:	hlt
	jmp 1b

	.data
text:	.ascii "idle\n"
text_end:
