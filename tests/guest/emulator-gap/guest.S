/* SPDX-License-Identifier: MIT */
/* Legal at CPL 0 on every CPU; where KVM emulates CPL 0, its emulator does not know it. */
#include "guest.inc"

start:
	xor %eax, %eax
	xor %edx, %edx
	xor %ebx, %ebx
	xor %ecx, %ecx
	lock cmpxchg16b pair
	CHECK z, 1
	EXIT 0

	.data
	.balign 16
pair:	.quad 0, 0
