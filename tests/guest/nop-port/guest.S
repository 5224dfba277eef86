/* SPDX-License-Identifier: MIT */
/* Any write to the no-op port returns at once and changes nothing. */
#include "guest.inc"

start:
	mov $GNOMON_PORT_NOP, %dx
	mov $0x12345678, %eax
	out %al, %dx
	out %ax, %dx
	out %eax, %dx
	cmp $0x12345678, %eax
	CHECK e, 1
	EXIT 0
