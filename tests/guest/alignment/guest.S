/* SPDX-License-Identifier: MIT */
/*
 * #AC: with CR0.AM and RFLAGS.AC in a program, for what the CPU executes and what the VMM does for it; never in the
 * kernel, where AC means SMAP (APM2 8.2.18).
 */
#include "program.inc"

#define WITH_AC (RFLAGS_FIXED | RFLAGS_AC)

/* AC stays set on the way into the kernel. */
.macro RUN_AC label
	RUN \label, WITH_AC
	pushq $RFLAGS_FIXED
	popfq
.endm
.macro REFUSED label, status, at
	RUN_AC \label
	EXPECT_ERROR VEC_AC, 0, \status
	EXPECT_RIP AT(\at), \status + 2
.endm

start:
	PREPARE_PROGRAM
	RUN_AC reads		/* CR0.AM is clear */
	EXPECT VEC_UD, 1
	mov %cr0, %rax
	or $CR0_AM, %eax
	mov %rax, %cr0
	RUN reads
	EXPECT VEC_UD, 2
	RUN_AC aligned
	EXPECT VEC_UD, 3
	movq $0x1234, page + 8
	REFUSED reads, 4, reads
	REFUSED writes, 7, writes
	REFUSED adds, 10, adds
	cmpq $0x1234, page + 8
	CHECK e, 13
	REFUSED pushes, 14, push_at
	/* A store to a table: by the emulator, and by the CPU while the table is open. */
	REFUSED writes_table, 17, writes_table
	REFUSED shifts_table, 20, shifts_table
	cmpq $0, pd + 8 * 100
	CHECK e, 23
	/* A far pointer, as its offset: by the CPU, and by the VMM while a breakpoint is enabled elsewhere. */
	REFUSED jumps, 33, jumps
	mov $0x10000, %eax
	mov %rax, %db0
	mov $0x402, %eax
	mov %rax, %db7
	REFUSED jumps, 36, jumps
	REFUSED loads, 39, loads
	RUN_AC loads_aligned
	EXPECT VEC_UD, 42
	mov $0x400, %eax
	mov %rax, %db7
	/* The kernel's. */
	pushq $WITH_AC
	popfq
	TRY mov page + 1, %rax
	EXPECT NONE, 24
	TRY rolq $1, page + 9
	EXPECT NONE, 25
	TRY movb $0, pd + 8 * 100
	EXPECT NONE, 26
	pushfq
	pop %rax
	test $RFLAGS_AC, %eax
	CHECK nz, 27
	/* ... to a program's page under SMAP, which AC opens; and which is closed again behind it. */
	ASK_CPUID 7
	test $(1 << 20), %r9d
	jz 1f
	MAP 0, page, PTE_W | PTE_U
	mov %cr4, %rax
	or $CR4_SMAP, %eax
	mov %rax, %cr4
	mov $PAGE(0), %rbp
	TRY mov 1(%rbp), %rax
	EXPECT NONE, 29
	TRY rolq $1, 9(%rbp)
	EXPECT NONE, 30
	pushq $RFLAGS_FIXED
	popfq
	TRY mov 1(%rbp), %rax
	EXPECT_ERROR VEC_PF, PFEC_P, 31
	mov %cr4, %rax
	and $~CR4_SMAP, %eax
	mov %rax, %cr4
1:	pushq $RFLAGS_FIXED
	popfq
	/* Clear again, AM counts no more. */
	mov %cr0, %rax
	and $~CR0_AM, %eax
	mov %rax, %cr0
	RUN_AC reads
	EXPECT VEC_UD, 28
	EXIT 0

reads:	mov page + 1(%rip), %eax
	ud2
writes:	movw $1, page + 9(%rip)
	ud2
adds:	lock addq $1, page + 12(%rip)
	ud2
aligned: mov page + 4(%rip), %eax
	mov page + 6(%rip), %ax
	mov page + 7(%rip), %al
	ud2
pushes:	lea -1(%rsp), %rsp
push_at: push %rax
	ud2
writes_table: movl $1, pd + 8 * 100 + 2(%rip)
	ud2
shifts_table: rolq $1, pd + 8 * 100 + 4(%rip)
	ud2
jumps:	ljmpl *page + 16 + 1(%rip)
	ud2
loads:	lfs page + 16 + 2(%rip), %eax
	ud2
loads_aligned:
	lfs page + 16 + 4(%rip), %eax
	ud2
