/* SPDX-License-Identifier: MIT */
/* The handler of an invalid opcode is an invalid opcode: no progress and no exit, for ever. */
#include "guest.inc"

start:
	mov $stack_top, %rsp
	LOAD_TABLES
	SET_GATE VEC_UD, handler
	PRINT text
	ud2
handler:
	add $40, %rsp /* drop the frame, or the stack would end the loop */
	ud2

	.data
text:	.ascii "looping\n"
text_end:
