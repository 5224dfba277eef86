/* SPDX-License-Identifier: MIT */
/*
 * RFLAGS.TF of a program: one #DB behind each instruction, the first one too, whatever must be mapped for it
 * beforehand; in place where the instruction leads to itself or repeats (APM2 13.1.4).
 */
#include "program.inc"

#define DR6_BS 0x4000

.macro EXPECT_DR6_BS status
	mov %dr6, %rax
	and $0xe00f, %eax
	cmp $DR6_BS, %eax
	CHECK e, \status
	xor %eax, %eax
	mov %rax, %dr6
.endm
.macro STEPS label, to, status
	RUN \label, (RFLAGS_FIXED | RFLAGS_TF)
	EXPECT VEC_DB, \status
	EXPECT_RIP AT(\to), \status + 1
	EXPECT_DR6_BS \status + 2
.endm

start:
	PREPARE_PROGRAM
	/* Nobody was in these pages before: of code, and of data that is read and written. */
	STEPS alone, alone_1, 1
	STEPS shifts, shifted, 4
	cmpq $0, untouched + 8
	CHECK e, 7
	STEPS loads, loaded, 8
	STEPS copies, copied, 11
	/* Where it has been already. */
	STEPS alone, alone_1, 14
	STEPS shifts, shifted, 17
	/* In place. */
	STEPS jumps, jumps, 20
	mov $6, %ecx
	STEPS loops, loops, 23
	movabs $AT(untouched), %rsi
	STEPS repeats, repeats, 26
	cmp $4, %rcx
	CHECK e, 29
	/* What POPF sets counts from the next instruction on, and what it clears, too: in a program, and in the kernel. */
	RUN pops
	EXPECT VEC_DB, 30
	EXPECT_RIP AT(popped), 31
	EXPECT_DR6_BS 32
	TRY jmp pops
	EXPECT VEC_DB, 33
	EXPECT_RIP popped, 34
	EXPECT_DR6_BS 35
	EXIT 0

shifts:	shlq $1, untouched + 8(%rip)
shifted: ud2
loads:	mov untouched + 4096(%rip), %rax
loaded:	ud2
copies:	push untouched + 8192(%rip)
copied:	ud2
jumps:	jmp jumps
loops:	loop loops
repeats: rep lodsb
	ud2

pops:	push $RFLAGS_FIXED
	push $(RFLAGS_FIXED | RFLAGS_TF)
	popfq
	popfq
popped:	nop
	ud2

	.balign 4096
alone:	nop
alone_1: ud2
	.balign 4096

	.bss
	.balign 4096
untouched: .skip 3 * 4096
