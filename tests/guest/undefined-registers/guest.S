/* SPDX-License-Identifier: MIT */
/* Control and debug registers that do not exist: #UD in the kernel, and nothing changes (APM3 MOV CRn, MOV DRn). */
#include "program.inc"

start:
	PREPARE_PROGRAM
	mov $0x1111, %eax
	TRY .byte 0x0f, 0x20, 0xc8 /* mov %cr1, %rax */
	EXPECT VEC_UD, 1
	TRY .byte 0x0f, 0x22, 0xe8 /* mov %rax, %cr5 */
	EXPECT VEC_UD, 2
	TRY .byte 0x44, 0x0f, 0x20, 0xc8 /* mov %cr9, %rax */
	EXPECT VEC_UD, 3
	TRY .byte 0x44, 0x0f, 0x22, 0xf8 /* mov %rax, %cr15 */
	EXPECT VEC_UD, 4
	TRY .byte 0x44, 0x0f, 0x21, 0xc0 /* mov %dr8, %rax */
	EXPECT VEC_UD, 5
	cmp $0x1111, %eax
	CHECK e, 6
	EXIT 0
