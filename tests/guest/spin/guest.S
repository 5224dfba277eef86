/* SPDX-License-Identifier: MIT */
/* Says that it runs, then never leaves the guest. */
#include "guest.inc"

start:
	PRINT text
1:	pause
	jmp 1b

	.data
text:	.ascii "spinning\n"
text_end:
