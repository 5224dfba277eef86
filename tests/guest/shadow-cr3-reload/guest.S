/* SPDX-License-Identifier: MIT */
/* Loads CR3 a hundred times and touches one page each time. */
#include "shadow-fault/fault.inc"

start:
	PREPARE
	movq $0x1111, page
	MAP 0, page, PTE_W
	mov $TEST, %rsi
	mov %cr3, %rbx
	mov $100, %ecx
1:	mov %rbx, %cr3
	cmpq $0x1111, (%rsi)
	CHECK e, 1
	dec %ecx
	jnz 1b
	EXIT 0
