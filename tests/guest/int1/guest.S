/* SPDX-License-Identifier: MIT */
/*
 * INT1 is a trap: its #DB has RIP behind it, and nothing new in DR6; in the kernel and in a program, with a prefix, one
 * behind the other, and where a breakpoint elsewhere is enabled (SDM vol. 2 INT1, APM3 INT1).
 */
#include "program.inc"

/* Clobbers rax. */
.macro EXPECT_INT1 behind, status
	EXPECT VEC_DB, \status
	EXPECT_RIP \behind, \status + 1
	mov %db6, %rax
	test $0x400f, %eax /* BS, B0 to B3 */
	CHECK z, \status + 2
.endm

start:
	PREPARE_PROGRAM
	mov $0xffff0ff0, %eax
	mov %rax, %db6
	TRY .byte 0xf1 /* clang 14 has no name for it */
after:	EXPECT_INT1 after, 1
	TRY .byte 0xf3, 0xf1
after_prefix:
	EXPECT_INT1 after_prefix, 4
	RUN program
	EXPECT_INT1 AT(second), 7
	RUN second
	EXPECT_INT1 AT(behind_second), 10
	mov $0x10000, %eax
	mov %rax, %db0
	mov $0x402, %eax
	mov %rax, %db7
	RUN program
	EXPECT_INT1 AT(second), 13
	EXIT 0

program:
	nop
	.byte 0xf1
second:	.byte 0xf1
behind_second:
	ud2
