/* SPDX-License-Identifier: MIT */
/*
 * A null selector in FS clears the segment's base, or leaves it on some of AMD's CPUs (APM2 4.5.3): whoever executes the
 * instruction, and with CR0.TS the VMM does on some hosts.
 */
#include "program.inc"

#define MSR_FS_BASE 0xc0000100

.macro SET_BASE
	mov $MSR_FS_BASE, %ecx
	mov $0x1111, %eax
	xor %edx, %edx
	wrmsr
.endm
.macro GET_BASE to
	mov $MSR_FS_BASE, %ecx
	rdmsr
	mov %rax, \to
.endm

start:
	PREPARE_PROGRAM
	SET_BASE
	RUN program
	EXPECT VEC_UD, 1
	GET_BASE %r8
	mov %cr0, %rax
	or $CR0_TS, %rax
	mov %rax, %cr0
	SET_BASE
	RUN program
	EXPECT VEC_UD, 2
	GET_BASE %r9
	cmp %r8, %r9
	CHECK e, 3
	SET_BASE
	xor %eax, %eax
	mov %eax, %fs
	GET_BASE %r9
	cmp %r8, %r9
	CHECK e, 4
	EXIT 0

program: xor %eax, %eax
	mov %eax, %fs
	ud2
