/* SPDX-License-Identifier: MIT */
/* While IF is 0 interrupts wait; then the highest vector comes first, and each vector once. */
#include "guest.inc"

start:
	mov $stack_top, %rsp
	LOAD_TABLES
	SET_GATE 0x30, low
	SET_GATE 0x50, high
	SET_GATE 0x60, highest
	OUT32 GNOMON_PORT_IPI, $GNOMON_IPI(0, 0x30)
	OUT32 GNOMON_PORT_IPI, $GNOMON_IPI(0, 0x50)
	OUT32 GNOMON_PORT_IPI, $GNOMON_IPI(0, 0x60)
	OUT32 GNOMON_PORT_IPI, $GNOMON_IPI(0, 0x50) /* edge-triggered: still one */
	mov $20, %ecx
	mov $GNOMON_PORT_NOP, %dx
1:	out %al, %dx
	dec %ecx
	jnz 1b
	cmpl $0, seen
	CHECK e, 1
	sti
	mov $20, %ecx
	mov $GNOMON_PORT_NOP, %dx
1:	out %al, %dx
	dec %ecx
	jnz 1b
	cli
	cmpl $0x605030, seen
	CHECK e, 2
	EXIT 0

low:
	shll $8, seen
	orl $0x30, seen
	iretq
high:
	shll $8, seen
	orl $0x50, seen
	iretq
highest:
	shll $8, seen
	orl $0x60, seen
	iretq

	.data
seen:	.long 0
