/* SPDX-License-Identifier: MIT */
/*
 * Stores by instructions of all kinds to page tables: those in use, one of each level, the code's own among them; those
 * that were in use and are a program's data now; from a program and from the kernel; across two tables. What is stored
 * is there, what it changes counts after a flush.
 */
#include "program.inc"

#define FREED X86_U64(0x18000000000) /* PML4 slot 3: what is unlinked again */
#define SPARE (8 * 100)              /* in a table: entries that no address uses */

/* The program runs `insn` with rdi at `table` + SPARE, up to its UD2. */
.macro STORES status, table, insn:vararg
	.pushsection .text, 1
10:	\insn
	ud2
11:	.popsection
	movabs $AT(\table + SPARE), %rdi
	mov $1, %edx
	RUN 10b
	EXPECT VEC_UD, \status
	EXPECT_RIP AT(11b - 2), \status
.endm
/* Of all kinds, to one table; rdx is stored as the vector registers' low half. */
.macro STORES_OF_ALL_KINDS status, table
	STORES \status, \table, movaps %xmm0, (%rdi)
	STORES \status, \table, movups %xmm0, 8(%rdi)
	STORES \status, \table, movntdq %xmm0, 16(%rdi)
	STORES \status, \table, movlps %xmm0, (%rdi)
	STORES \status, \table, movd %xmm0, 24(%rdi)
	STORES \status, \table, movntq %mm0, 32(%rdi)
	STORES \status, \table, fistpll 40(%rdi)
	STORES \status, \table, fstl 48(%rdi)
	STORES \status, \table, fnstcw 56(%rdi)
	STORES \status, \table, stmxcsr 60(%rdi)
	STORES \status, \table, rcll $3, 64(%rdi)
	STORES \status, \table, shldq $5, %rdx, 72(%rdi)
	STORES \status, \table, sarb 80(%rdi)
	STORES \status, \table, pextrw $1, %xmm0, 88(%rdi)
	/* What was stored is there. */
	movq $5, \table + SPARE
	STORES \status, \table, shlq $2, (%rdi)
	cmpq $20, \table + SPARE
	CHECK e, \status
	STORES \status, \table, movq %xmm0, (%rdi)
	cmpq $7, \table + SPARE
	CHECK e, \status
	STORES \status, \table, rolq $4, (%rdi)
	cmpq $0x70, \table + SPARE
	CHECK e, \status
	movq $0, \table + SPARE
.endm

start:
	PREPARE_PROGRAM
	mov %cr4, %rax
	or $CR4_OSFXSR, %eax
	mov %rax, %cr4
	RUN set_registers
	EXPECT VEC_UD, 1
	movq $1, page
	movq $2, other
	MAP 0, page, PTE_W | PTE_U
	mov $PAGE(0), %rbx
	mov (%rbx), %rax
	/* In use: the tables of the image, which the code itself runs by. */
	STORES_OF_ALL_KINDS 2, pt
	STORES_OF_ALL_KINDS 3, image_pt
	STORES_OF_ALL_KINDS 4, pd
	STORES_OF_ALL_KINDS 5, pdpt
	/* An entry in use: another page, after a flush. */
	movq $(other + RIGHTS), entry
	movabs $AT(pt), %rdi
	RUN store_entry
	EXPECT VEC_UD, 6
	invlpg (%rbx)
	cmpq $2, (%rbx)
	CHECK e, 7
	/* ... read-only, by a shift: W is bit 1. */
	movq $(PTE_P | PTE_U), page
	RUN clear_write
	EXPECT VEC_UD, 8
	invlpg (%rbx)
	TRY movq $3, (%rbx)
	EXPECT_ERROR VEC_PF, PFEC_P | PFEC_W, 9
	/* One level up: another leaf table, and back. */
	MAP 0, page, PTE_W | PTE_U
	movq $1, page
	movq $(other + RIGHTS), second_pt
	mov (%rbx), %rax
	movq $(second_pt + RIGHTS), entry
	movabs $AT(pd + 8), %rdi
	RUN store_entry
	EXPECT VEC_UD, 25
	invlpg (%rbx)
	cmpq $2, (%rbx)
	CHECK e, 26
	movq $(pt + RIGHTS), entry
	movabs $AT(pd + 8), %rdi
	RUN store_entry
	EXPECT VEC_UD, 27
	invlpg (%rbx)
	cmpq $1, (%rbx)
	CHECK e, 28
	/* Across two tables that lie side by side, and across a table and a page of data. */
	MAP 0, page, PTE_W | PTE_U
	mov (%rbx), %rax
	movq $0, pd + 4096 - 8
	movq $0, image_pt
	RUN straddle
	EXPECT VEC_UD, 10
	cmpq $7, pd + 4096 - 8
	CHECK e, 11
	cmpq $0, image_pt
	CHECK e, 12
	movq $(IMAGE + RIGHTS), image_pt
	/* The kernel's own, in the same ways. */
	lea pd + SPARE, %rdi
	TRY movaps %xmm0, (%rdi)
	EXPECT NONE, 13
	cmpq $7, pd + SPARE
	CHECK e, 14
	TRY shlq $1, (%rdi)
	cmpq $14, pd + SPARE
	CHECK e, 15
	/* The table of the PML4 that CR3 holds. */
	mov %cr3, %rdi
	TRY movaps %xmm0, SPARE(%rdi)
	EXPECT NONE, 16
	cmpq $7, SPARE(%rdi)
	CHECK e, 17
	TRY rorq $1, SPARE(%rdi)
	EXPECT NONE, 18
	/* Freed: unlinked, flushed, and a program's data. Twice, for it is used as tables again in between. */
	mov $2, %r15d
1:	call use_as_tables
	MAP 1, freed_pdpt, PTE_W | PTE_U
	MAP 2, freed_pd, PTE_W | PTE_U
	MAP 3, freed_pt, PTE_W | PTE_U
	RUN fill_with_sse
	EXPECT VEC_UD, 21
	cmpq $7, freed_pdpt + 4096 - 16
	CHECK e, 22
	cmpq $7, freed_pd
	CHECK e, 23
	cmpq $7, freed_pt + 2048
	CHECK e, 24
	dec %r15d
	jnz 1b
	EXIT 0

use_as_tables:
	mov %cr3, %rsi
	movq $(freed_pdpt + RIGHTS), 24(%rsi)
	movq $(freed_pd + RIGHTS), freed_pdpt
	movq $(freed_pt + RIGHTS), freed_pd
	movq $(page + RIGHTS), freed_pt
	movq $0x55, page
	mov %rsi, %cr3
	movabs $FREED, %rax
	cmpq $0x55, (%rax)
	CHECK e, 20
	movq $0, 24(%rsi)
	mov %rsi, %cr3
	ret

set_registers:
	movq seven(%rip), %xmm0
	movq seven(%rip), %mm0
	fldz
	fldz
	ud2
store_entry:
	movq entry(%rip), %xmm1
	movq %xmm1, (%rdi)
	ud2
clear_write:
	shrq $2, (%rdi)
	shlq $2, (%rdi)
	orb $PTE_P | PTE_U, (%rdi)
	ud2
straddle:
	lea pd + 4096 - 8(%rip), %rdi
	movups %xmm0, (%rdi)
	ud2
fill_with_sse:
	movabs $PAGE(1), %rdi
	mov $3 * 256, %ecx
1:	movaps %xmm0, (%rdi)
	add $16, %rdi
	dec %ecx
	jnz 1b
	ud2

	.data
	.balign 8
seven:	.quad 7
entry:	.quad 0
	.bss
	.balign 4096
freed_pdpt: .skip 4096
freed_pd: .skip 4096
freed_pt: .skip 4096
second_pt: .skip 4096
