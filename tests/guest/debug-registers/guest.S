/* SPDX-License-Identifier: MIT */
/*
 * DR0 to DR3, DR6 and DR7: what is written is read, and enabled breakpoints come, in a program and in the kernel, for
 * instructions that the VMM emulates as well: APM2 13.1. GENERAL_DETECT: accesses to the registers themselves, too.
 */
#include "program.inc"

#define ON_WRITE  1
#define ON_ACCESS 3
#define BYTES_1   0
#define BYTES_8   2
#define DR7(n, condition, length) (0x400 | 1 << (2 * (n)) | ((condition) | (length) << 2) << (16 + 4 * (n)))
#define DR6_BS 0x4000
#define DR6_BD 0x2000

.macro SET_DR n, value
	movabs $(\value), %rax
	mov %rax, %dr\n
.endm
.macro EXPECT_DR6 bits, status
	mov %dr6, %rax
	and $0xe00f, %eax
	cmp $(\bits), %eax
	CHECK e, \status
	xor %eax, %eax
	mov %rax, %dr6
.endm

start:
	PREPARE_PROGRAM
	SET_DR 0, 0x1234
	SET_DR 3, 0x7ffffffff000
	mov %dr0, %rax
	cmp $0x1234, %rax
	CHECK e, 1
	mov %dr7, %rax
	cmp $0x400, %rax
	CHECK e, 2
	/* An instruction of the program's: before it is done. */
	SET_DR 0, AT(at_2)
	SET_DR 7, DR7(0, 0, 0)
	RUN program
	EXPECT VEC_DB, 3
	EXPECT_RIP AT(at_2), 4
	EXPECT_DR6 1, 5
	/* RF lets it pass. */
	RUN at_2, (RFLAGS_FIXED | 0x10000)
	EXPECT VEC_UD, 6
	/* Data: behind the access, whichever instruction it is. */
	SET_DR 0, 0
	SET_DR 1, AT(page + 8)
	SET_DR 7, DR7(1, ON_WRITE, BYTES_8)
	RUN stores
	EXPECT VEC_DB, 7
	EXPECT_RIP AT(stored), 8
	EXPECT_DR6 2, 9
	RUN shifts
	EXPECT VEC_DB, 10
	EXPECT_RIP AT(shifted), 11
	EXPECT_DR6 2, 12
	RUN loads
	EXPECT VEC_UD, 13
	SET_DR 7, DR7(1, ON_ACCESS, BYTES_8)
	RUN loads
	EXPECT VEC_DB, 14
	EXPECT_RIP AT(loaded), 15
	EXPECT_DR6 2, 16
	RUN beside
	EXPECT VEC_UD, 17
	/* The kernel's. */
	SET_DR 2, page
	SET_DR 7, DR7(2, ON_WRITE, BYTES_1)
	TRY movb $1, page
	EXPECT VEC_DB, 18
	EXPECT_DR6 4, 19
	/* ... where the VMM emulates the store, for a table lies there. */
	SET_DR 2, (pd + 8 * 100)
	TRY movb $0, pd + 8 * 100
	EXPECT VEC_DB, 20
	EXPECT_DR6 4, 21
	/* A single step tells itself, and no breakpoint. */
	SET_DR 7, 0x400
	RUN program, (RFLAGS_FIXED | RFLAGS_TF)
	EXPECT VEC_DB, 22
	EXPECT_RIP AT(at_1), 23
	EXPECT_DR6 DR6_BS, 24
	/* Both at once, of what the VMM does not emulate. */
	SET_DR 1, AT(page + 8)
	SET_DR 7, DR7(1, ON_ACCESS, BYTES_8)
	RUN shifts, (RFLAGS_FIXED | RFLAGS_TF)
	EXPECT VEC_DB, 28
	EXPECT_RIP AT(shifted), 29
	EXPECT_DR6 (DR6_BS | 2), 30
	/* An index that is not an operand. */
	RUN translates
	EXPECT VEC_DB, 31
	EXPECT_RIP AT(translated), 32
	EXPECT_DR6 2, 33
	RUN translates_beside
	EXPECT VEC_UD, 34
	/* Repeated: behind the element that meets it, and never without one. */
	RUN compares
	EXPECT VEC_DB, 35
	EXPECT_RIP AT(comparing), 36
	EXPECT_DR6 2, 37
	cmp $3, %rcx
	CHECK e, 38
	RUN copies
	EXPECT VEC_DB, 39
	EXPECT_RIP AT(copying), 40
	EXPECT_DR6 2, 41
	cmp $3, %rcx
	CHECK e, 42
	RUN compares_nothing
	EXPECT VEC_UD, 43
	/* Hints touch nothing. */
	RUN hints
	EXPECT VEC_UD, 44
	/* DR6 tells the breakpoints met now, APM2 13.1.1.3. */
	SET_DR 0, AT(at_1)
	SET_DR 1, AT(at_2)
	SET_DR 7, (DR7(0, 0, 0) | DR7(1, 0, 0))
	RUN program
	EXPECT VEC_DB, 45
	RUN at_2
	EXPECT VEC_DB, 46
	EXPECT_DR6 2, 47
	/* Any address may stand in DR0, SDM vol. 3 17.2.6. */
	movabs $0x1234567890abcdef, %rdx
	TRY mov %rdx, %dr0
	EXPECT NONE, 48
	mov %dr0, %rax
	cmp %rax, %rdx
	CHECK e, 49
	/* INT n pushes RF as 0, so that a breakpoint that its handler sets behind it is met. */
	SET_DR 7, 0x400
	SET_GATE 0x50, arm
	movw $0xee00, idt + 16 * 0x50 + 4
	RUN interrupts
	EXPECT VEC_DB, 50
	EXPECT_RIP AT(interrupted), 51
	EXPECT_DR6 1, 52
	SET_DR 7, 0x400
#ifdef GENERAL_DETECT
	/* General detect: the access to a debug register itself. */
	SET_DR 7, 0x2400
	TRY mov %dr0, %rbx
	EXPECT VEC_DB, 25
	EXPECT_DR6 DR6_BD, 26
	mov %dr7, %rax
	cmp $0x400, %rax
	CHECK e, 27
#endif
	EXIT 0

arm:	push %rax
	SET_DR 0, AT(interrupted)
	SET_DR 7, DR7(0, 0, 0)
	pop %rax
	iretq

interrupts: int $0x50
interrupted: ud2
program: nop
at_1:	nop
at_2:	ud2
stores:	movq $5, page + 8(%rip)
stored:	ud2
shifts:	shlq $1, page + 8(%rip)
shifted: ud2
loads:	mov page + 8(%rip), %rax
loaded:	ud2
translates:
	lea page(%rip), %rbx
	mov $8, %eax
	xlat
translated: ud2
translates_beside:
	lea page + 8(%rip), %rbx
	mov $8, %eax
	xlat
	ud2
compares:
	lea page(%rip), %rdi
	mov $5, %ecx
	mov $0x777, %eax
comparing:
	repne scasq
	ud2
compares_nothing:
	lea page + 8(%rip), %rdi
	xor %ecx, %ecx
	repe scasq
	ud2
copies:	lea page(%rip), %rdi
	lea page + 512(%rip), %rsi
	mov $5, %ecx
copying: rep movsq
	ud2
hints:	prefetcht0 page + 8(%rip)
	nopl page + 8(%rip)
	ud2
beside:	movq $5, page(%rip)
	mov page + 16(%rip), %rax
	ud2
