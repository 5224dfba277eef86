/* SPDX-License-Identifier: MIT */
/* Reads a port and a device's register for ever, one by one and as a string: what it gets is always the same. */
#include "virtio.inc"

#define EMPTY_PORT 0x2f8
#define STRING     64

	.bss
string:	.skip STRING
	.text

start:
	MAP_REGISTERS
	PRINT text
1:	xor %eax, %eax
	mov $EMPTY_PORT, %edx
	in %dx, %eax
	cmp $0xffffffff, %eax
	CHECK e, 1
	EXPECT VIRTIO_MMIO_MAGIC, VIRTIO_MMIO_MAGIC_VALUE, 2
	mov $string, %edi
	mov $STRING, %ecx
	xor %eax, %eax
	rep stosb
	mov $string, %edi
	mov $STRING, %ecx
	rep insb
	test %ecx, %ecx
	CHECK z, 3
	mov $string, %edi
	mov $STRING, %ecx
	mov $0xff, %al
	repe scasb
	CHECK e, 4
	jmp 1b

	.data
text:	.ascii "reading\n"
text_end:
