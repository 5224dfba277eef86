/* SPDX-License-Identifier: MIT */
/* `rep outsb` sends the whole buffer, in order, also bytes that are no text. */
#include "guest.inc"

start:
	PRINT text
	EXIT 0

	.data
text:	.ascii "a line by rep outsb\n"
	.byte 0, 0xff, 0x0a
text_end:
