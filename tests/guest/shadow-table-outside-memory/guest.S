/* SPDX-License-Identifier: MIT */
/* An entry that points at a table where there is no memory ends the guest when it is used. TABLE chooses where. */
#include "shadow-fault/fault.inc"

start:
	PREPARE
	mov $(TABLE + (PTE_P | PTE_W)), %rax
	mov %rax, pd + 8
	mov $TEST_LARGE(1), %rax
	mov (%rax), %rax
	EXIT 1
