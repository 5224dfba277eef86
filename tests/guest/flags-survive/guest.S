/* SPDX-License-Identifier: MIT */
/*
 * What the guest set in RFLAGS stays, whatever traps come between: instructions that the VMM emulates, page faults that
 * are none of the guest's, port accesses, the program's own system calls and exceptions (APM2 3.1.6).
 */
#include "program.inc"

#define FLAGS (RFLAGS_FIXED | 0x1 | 0x4 | 0x10 | 0x40 | 0x80 | 0x400 | 0x800) /* CF PF AF ZF SF DF OF */
#define NT    0x4000
#define ID    0x200000

/* Sets flags, lets the VMM work, reads them back. Clobbers rax, rbx. */
.macro KEEPS flags, status
	pushq $\flags
	popfq
	out %al, $0x80
	mov %cr3, %rbx
	mov %rbx, %cr3
	mov (%rsi), %bl
	add $4096, %rsi
	pushq $\flags
	popfq
	mov (%rsi), %bl
	bswap %ebx		/* not emulated, and changes no flag */
	out %al, $0x80
	pushfq
	cld
	pop %rbx
	and $~RFLAGS_IF, %rbx /* at CPL 3 it reads as 1: docs/shadow.md */
	cmp $\flags, %rbx
	CHECK e, \status
.endm

.macro SET_SMAP
	mov %cr4, %rax
	or $CR4_SMAP, %eax
	mov %rax, %cr4
.endm
.macro CLEAR_SMAP
	mov %cr4, %rax
	and $~CR4_SMAP, %eax
	mov %rax, %cr4
.endm

start:
	PREPARE_PROGRAM
	/*
	 * AC and SMAP: a program's AC goes into the kernel with its exception, and counts there until POPF clears it.
	 */
	MAP 0, page, PTE_W | PTE_U
	mov $PAGE(0), %rbp
	ASK_CPUID 7
	test $(1 << 20), %r9d
	jz 1f
	SET_SMAP
	RUN undefined, (RFLAGS_FIXED | RFLAGS_AC)
	EXPECT VEC_UD, 24
	TRY mov (%rbp), %rax
	EXPECT NONE, 25
	pushq $RFLAGS_FIXED
	popfq
	TRY mov (%rbp), %rax
	EXPECT_ERROR VEC_PF, PFEC_P, 26
	CLEAR_SMAP
1:
	mov $0x800000, %rsi	/* pages that the shadow does not know */
	KEEPS FLAGS, 1
	KEEPS (FLAGS | NT), 2
	KEEPS (FLAGS | ID), 3
	KEEPS (FLAGS | RFLAGS_AC | NT | ID), 4
	KEEPS RFLAGS_FIXED, 5
	/* NT counts: IRET refuses. */
	pushq $(NT | RFLAGS_FIXED)
	popfq
	out %al, $0x80
	TRY iretq
	EXPECT_ERROR VEC_GP, 0, 6
	/* The exception's own delivery cleared it. */
	pushfq
	pop %rax
	test $NT, %eax
	CHECK z, 7
	testq $NT, fault_rflags
	CHECK nz, 8
	/* AC and SMAP once more: what POPF makes of it counts, also where an access was not aligned in between. */
	ASK_CPUID 7
	test $(1 << 20), %r9d
	jz 1f
	SET_SMAP
	mov $PAGE(0), %rbp
	pushq $(RFLAGS_AC | RFLAGS_FIXED)
	popfq
	TRY mov 1(%rbp), %rax
	EXPECT NONE, 9
	TRY movq $5, 3(%rbp)
	EXPECT NONE, 10
	/* ... by an instruction that the VMM does not emulate, which leaves it as it is. */
	TRY rolq $1, 3(%rbp)
	EXPECT NONE, 21
	cmpq $10, 3(%rbp)
	CHECK e, 22
	pushfq
	pop %rax
	test $RFLAGS_AC, %eax
	CHECK nz, 23
	pushq $RFLAGS_FIXED
	popfq
	TRY mov (%rbp), %rax
	EXPECT_ERROR VEC_PF, PFEC_P, 11
	testq $RFLAGS_AC, fault_rflags
	CHECK z, 12
	CLEAR_SMAP
1:	/* IOPL is what IRET gave the program: STI and CLI are its own, and its frames show it. */
	RUN sti_cli, (RFLAGS_FIXED | RFLAGS_IOPL)
	EXPECT VEC_UD, 13
	mov fault_rflags, %rax
	and $RFLAGS_IOPL, %eax
	cmp $RFLAGS_IOPL, %eax
	CHECK e, 14
	RUN sti_cli
	EXPECT_ERROR VEC_GP, 0, 15
	/* A program's flags in its exception's frame. */
	RUN set_flags
	EXPECT VEC_UD, 16
	mov fault_rflags, %rax
	and $~(RFLAGS_IF | (1 << 16)), %rax
	cmp $(FLAGS | NT | ID | RFLAGS_AC), %rax
	CHECK e, 17
	/* TF: after each instruction of the program's, where it is. */
	RUN three_nops, (RFLAGS_FIXED | RFLAGS_TF)
	EXPECT VEC_DB, 18
	EXPECT_RIP AT(three_nops + 1), 19
	testq $RFLAGS_TF, fault_rflags
	CHECK nz, 20
	EXIT 0

undefined: ud2
sti_cli:
	sti
	cli
	ud2
three_nops:
	nop
	nop
	nop
	ud2
set_flags:
	pushq $(FLAGS | NT | ID | RFLAGS_AC)
	popfq
	mov page(%rip), %al
	ud2
