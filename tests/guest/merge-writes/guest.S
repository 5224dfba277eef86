/* SPDX-License-Identifier: MIT */
/*
 * A program writes at random into memory that is merged with another guest's meanwhile, and loses nothing. Page p of 2048
 * holds p + 1 in each word but one, which counts modulo 4, as a word of a second region does: so many pages of two such
 * guests are equal all the time. Ends only when it finds damage. Says "right" after each million of writes.
 */
#include "program.inc"

#define PAGES      2048
#define MEMORY     0x1000000                 /* 16 MiB: 8 MiB of pages, then 2 MiB of counts */
#define SEEN       (PROGRAM + 0x400000)      /* where the program sees it */
#define COUNTS     (SEEN + PAGES * 4096)
#define COUNT_STEP 1024
#define START      0x100                     /* with the count: no page is zero */
#define OFTEN      64  /* pages: one write in RARE goes to any other, so that these are equal for a while */
#define RARE       256
#define MILLION    1000000

start:
	PREPARE_PROGRAM
	mov $(MEMORY + RIGHTS + PTE_PS), %rax
	mov $(pd + 16), %rdx
	mov $5, %ecx
1:	mov %rax, (%rdx)
	add $0x200000, %rax
	add $8, %rdx
	dec %ecx
	jnz 1b
	RUN fill
	EXPECT VEC_UD, 1
	PRINT filled
	movabs $0x9e3779b97f4a7c15, %rbx
again:	RUN write
	EXPECT VEC_UD, 2
	test %rbp, %rbp
	CHECK z, 3
	PRINT right
	jmp again

/* rdi: the page, r10: its word that counts, r11: the other count. Of page r8. Clobbers rsi. */
.macro FIND
	mov %r8, %rdi
	shl $12, %rdi
	movabs $SEEN, %rsi
	add %rsi, %rdi
	mov %r8, %r10
	shl $3, %r10
	and $0xff8, %r10
	add %rdi, %r10
	mov %r8, %r11
	imul $COUNT_STEP, %r11
	movabs $COUNTS, %rsi
	add %rsi, %r11
.endm

fill:	xor %r8, %r8
1:	FIND
	mov $512, %ecx
	lea 1(%r8), %rax
	rep stosq
	movq $START, (%r10)
	movq $START, (%r11)
	inc %r8
	cmp $PAGES, %r8
	jne 1b
	ud2

write:	mov $MILLION, %ecx
	xor %ebp, %ebp
2:	mov %rbx, %rax
	shl $13, %rax
	xor %rax, %rbx
	mov %rbx, %rax
	shr $7, %rax
	xor %rax, %rbx
	mov %rbx, %rax
	shl $17, %rax
	xor %rax, %rbx
	mov %rbx, %r8
	and $(PAGES - 1), %r8
	mov %rbx, %rax
	shr $40, %rax
	test $(RARE - 1), %eax
	jz 4f
	and $(OFTEN - 1), %r8
4:	FIND
	mov (%r10), %rdx
	cmp (%r11), %rdx
	jne damaged
	mov %rbx, %rax
	shr $20, %rax
	and $0xff8, %eax
	add %rdi, %rax
	cmp %r10, %rax
	je 3f
	lea 1(%r8), %rsi
	cmp (%rax), %rsi
	jne damaged
3:	inc %edx
	and $3, %edx
	or $START, %edx
	mov %rdx, (%r10)
	mov %rdx, (%r11)
	dec %ecx
	jnz 2b
	ud2
damaged: inc %ebp
	ud2

	.data
filled:	.ascii "filled\n"
filled_end:
right:	.ascii "right\n"
right_end:
