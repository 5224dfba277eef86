/* SPDX-License-Identifier: MIT */
/* A port without a device reads all ones in every width and swallows writes; so do write-only ports when read. */
#include "guest.inc"

start:
	mov $0x1234, %dx
	xor %eax, %eax
	in %dx, %al
	cmp $0xff, %eax
	CHECK e, 1
	xor %eax, %eax
	in %dx, %ax
	cmp $0xffff, %eax
	CHECK e, 2
	xor %eax, %eax
	in %dx, %eax
	cmp $-1, %eax
	CHECK e, 3
	mov $buffer, %rdi
	mov $2, %ecx
	rep insl
	cmpq $-1, buffer
	CHECK e, 4
	xor %eax, %eax
	out %eax, %dx
	mov $GNOMON_PORT_CPU_START, %dx
	in %dx, %eax
	cmp $-1, %eax
	CHECK e, 5
	xor %eax, %eax
	in $GNOMON_PORT_EXIT, %al
	cmp $0xff, %eax
	CHECK e, 6
	/* Half in one device's range, half in the next one's: nobody's. */
	mov $GNOMON_PORT_CPU_START + 2, %dx
	out %eax, %dx
	EXIT 0

	.data
buffer:	.quad 0
