/* SPDX-License-Identifier: MIT */
/* An IDT that is mapped to no memory: an exception cannot be delivered, and ends the guest. */
#include "guest.inc"

start:
	mov $stack_top, %rsp
	lgdt gdt_pointer
	lidt far_pointer
	ud2
	EXIT 1

	.data
far_pointer:
	.word 256 * 16 - 1
	.quad 0x8000000
