/* SPDX-License-Identifier: MIT */
	.text
	.globl start, denied
start:					/* RDI: the device tree */
	mov $stack_top, %esp
	call main

/* A page fault of touch(): its load of two bytes is left out. */
denied:
	add $8, %rsp
	addq $2, (%rsp)
	iretq

	.bss
	.balign 16
	.skip 4096
stack_top:
