/* SPDX-License-Identifier: MIT */
/*
 * A leaf table changes without a flush, and another CPU is started in these tables: it has no translation from before,
 * so for it the new entry counts.
 */
#include "shadow-fault/fault.inc"

start:
	PREPARE
	movq $1, page
	movq $2, other
	MAP 0, page, PTE_W | PTE_U
	MAP 1, page, PTE_W | PTE_U
	mov $TEST, %rsi
	mov (%rsi), %rax
	mov 0x1000(%rsi), %rax
	movq $(other + (PTE_P | PTE_W | PTE_U)), pt + 8
	START_CPU request
1:	pause
	jmp 1b

other_cpu:
	mov $TEST, %rsi
	mov (%rsi), %rax
	cmp $1, %rax
	CHECK e, 1
	mov 0x1000(%rsi), %rax
	cmp $2, %rax
	CHECK e, 2
	EXIT 0

CPU_START_REQUEST request, GNOMON_ABI_VERSION, 1, other_cpu
