/* SPDX-License-Identifier: MIT */
/*
 * CPUS CPUs count in every page of one 2 MiB page but the slice that is going to be taken away: each has a word of its
 * own in each page, which must hold the number of the round. With PROBE, CPU 0 also reads the slice's first word.
 */
#include "guest.inc"

#define BLOCK       0x1000000
#define PAGE_BYTES  4096
#define PAGES       512
#define SLICE_FIRST 100
#define SLICE_PAGES 16

start:
#if CPUS > 1
	START_CPU second
	START_CPU third
	START_CPU fourth
#endif
	mov $stack_top, %esp
	xor %ebx, %ebx
1:	call hammer
#ifdef PROBE
	mov BLOCK + SLICE_FIRST * PAGE_BYTES, %rax
#endif
	test $31, %r8d
	jnz 1b
	PRINT text
	jmp 1b

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
