/* SPDX-License-Identifier: MIT */
/* One `out` a byte, after polling the line status register as drivers do. */
#include "guest.inc"

start:
	mov $text, %rsi
1:	mov $GNOMON_PORT_SERIAL + 5, %dx
2:	in %dx, %al
	test $0x20, %al /* LSR.THRE */
	jz 2b
	mov $GNOMON_PORT_SERIAL, %dx
	lodsb
	out %al, %dx
	cmp $text_end, %rsi
	jne 1b
	EXIT 0

	.data
text:	.ascii "byte by byte\n"
text_end:
