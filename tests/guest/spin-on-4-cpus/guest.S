/* SPDX-License-Identifier: MIT */
/* As spin, on four CPUs at once. */
#include "guest.inc"

start:
	START_CPU second
	START_CPU third
	START_CPU fourth
1:	pause
	cmpl $3, running
	jne 1b
	PRINT text
1:	pause
	jmp 1b

ap:
	lock incl running
1:	pause
	jmp 1b

	.data
running:
	.long 0
text:	.ascii "spinning\n"
text_end:
CPU_START_REQUEST second, GNOMON_ABI_VERSION, 1, ap
CPU_START_REQUEST third, GNOMON_ABI_VERSION, 2, ap
CPU_START_REQUEST fourth, GNOMON_ABI_VERSION, 3, ap
