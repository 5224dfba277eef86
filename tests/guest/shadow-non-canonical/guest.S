/* SPDX-License-Identifier: MIT */
/* Addresses that are not canonical: #GP for data and code, #SS for the stack, error code 0, and never a #PF. */
#include "shadow-fault/fault.inc"

start:
	PREPARE
	mov $0x800000000000, %rsi
	TRY mov (%rsi), %rax
	EXPECT VEC_GP, 0, 1
	TRY mov %rax, (%rsi)
	EXPECT VEC_GP, 0, 3
	mov $0xffff7fffffffffff, %rsi
	TRY movb $0, (%rsi)
	EXPECT VEC_GP, 0, 5
	TRY lock incl (%rsi)
	EXPECT VEC_GP, 0, 7
	mov %rsi, %rbp
	TRY mov (%rbp), %rax
	EXPECT VEC_SS, 0, 9
	TRY jmp *%rsi
	EXPECT VEC_GP, 0, 11
	EXIT 0
