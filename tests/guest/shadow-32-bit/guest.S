/* SPDX-License-Identifier: MIT */
/* The kernel goes to 32-bit code: legal, and more than the virtual CPU of shadow mode can. Ends with 0 where it can. */
#include "program.inc"

#define CODE32 0x38

start:
	PREPARE_PROGRAM
	lgdt wide_gdt_pointer
	TRY ljmp *far
	EXPECT NONE, 1
	EXIT 0

	.data
far:	.long there
	.word CODE32
wide_gdt: .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff, 0, 0
	.quad 0x00cf9b000000ffff
wide_gdt_pointer: .word CODE32 + 7
	.quad wide_gdt
	.text
	.code32
there:	mov $0, %al
	out %al, $GNOMON_PORT_EXIT
	jmp there
