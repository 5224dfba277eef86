/* SPDX-License-Identifier: MIT */
/* Writes for ever: the VMM must end at once even when nobody takes the output. */
#include "guest.inc"

start:
	PRINT text
	jmp start

	.data
text:	.fill 4096, 1, 'x'
text_end:
