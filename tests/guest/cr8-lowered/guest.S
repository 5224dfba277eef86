/* SPDX-License-Identifier: MIT */
/* The kernel raises CR8 and lowers it again: it reads what it wrote, and goes on. */
#include "guest.inc"

start:
	mov $15, %eax
1:	mov %rax, %cr8
	mov %cr8, %rdx
	cmp %rax, %rdx
	CHECK e, 1
	sub $5, %rax
	jns 1b
	EXIT 0
