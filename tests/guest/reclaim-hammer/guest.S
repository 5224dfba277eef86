/* SPDX-License-Identifier: MIT */
/*
 * CPUS CPUs count in every page of one 2 MiB page but the slice that is going to be taken away: each has a word of its
 * own in each page, which must hold the number of the round. With PROBE, CPU 0 also reads the slice's first word. With
 * EXCEPTIONS it also takes one in each round, by an IDT that lies in a page of its own.
 */
#include "guest.inc"

#define BLOCK       0x1000000
#define PAGE_BYTES  4096
#define PAGES       512
#define SLICE_FIRST 100
#define SLICE_PAGES 16
#define FAR_IDT     0x3000000

start:
#if CPUS > 1
	START_CPU second
	START_CPU third
	START_CPU fourth
#endif
	mov $stack_top, %esp
#ifdef EXCEPTIONS
	lgdt gdt_pointer
	SET_GATE VEC_UD, skip
	mov $idt + 16 * VEC_UD, %esi
	mov $FAR_IDT + 16 * VEC_UD, %edi
	mov $16, %ecx
	rep movsb
	lidt far_pointer
#endif
	xor %ebx, %ebx
1:	call hammer
#ifdef EXCEPTIONS
	ud2
#endif
#ifdef PROBE
	mov BLOCK + SLICE_FIRST * PAGE_BYTES, %rax
#endif
	test $31, %r8d
	jnz 1b
	PRINT text
	jmp 1b

#ifdef EXCEPTIONS
skip:	addq $2, (%rsp)
	iretq
	.data
far_pointer:
	.word 256 * 16 - 1
	.quad FAR_IDT
	.text
#endif

.macro OTHER_CPU name, id
\name:	mov $64 * \id, %ebx
1:	call hammer
	jmp 1b
.endm
OTHER_CPU cpu1, 1
OTHER_CPU cpu2, 2
OTHER_CPU cpu3, 3

/* One round of the CPU whose words lie at offset rbx; r8 counts rounds. Clobbers rax, ecx. */
hammer:
	lea BLOCK(%rbx), %rax
	mov $PAGES, %ecx
1:	cmp $PAGES - SLICE_FIRST, %ecx
	je 3f
2:	cmp %r8, (%rax)
	jne 4f
	incq (%rax)
	add $PAGE_BYTES, %rax
	dec %ecx
	jnz 1b
	inc %r8
	ret
3:	add $SLICE_PAGES * PAGE_BYTES, %rax
	sub $SLICE_PAGES, %ecx
	jmp 2b
4:	EXIT 9

	.bss
	.balign 16
	.skip 256
stack1:	.skip 256
stack2:	.skip 256
stack3:
	.data
text:	.ascii "round\n"
text_end:
#if CPUS > 1
.macro REQUEST name, cpu, entry, stack
	.balign 8
\name:	.long GNOMON_ABI_VERSION, \cpu
	.quad \entry, \stack, 0, 0
.endm
REQUEST second, 1, cpu1, stack1
REQUEST third, 2, cpu2, stack2
REQUEST fourth, 3, cpu3, stack3
#endif
