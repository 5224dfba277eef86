/* SPDX-License-Identifier: MIT */
/*
 * CPU 1 changes entries all the time, in bits that change no translation: as a kernel does that looks for pages in use.
 * CPU 0 faults through them. Whatever it meets, it gets on.
 *
 *   default   a bit that is the kernel's own, of an entry of the leaf table
 *   UPPER     of the entry that leads to it
 *   ACCESSED  the A bits of 16 pages are cleared
 */
#include "shadow-fault/fault.inc"

#define ROUNDS 30
#define PAGES  16
#define OWN    0x200

#ifdef UPPER
#define ENTRY pd
#else
#define ENTRY pt + 8
#endif

start:
	PREPARE
	movq $0x1111, page
	mov $(page + PTE_P + PTE_W), %rax
	xor %ecx, %ecx
1:	mov %rax, pt(, %rcx, 8)
	inc %ecx
	cmp $PAGES, %ecx
	jne 1b
	START_CPU request
	WAIT_FOR running
	mov $ROUNDS, %ebp
2:	mov $PAGES - 1, %ecx
3:	mov $TEST, %rdi
	mov %rcx, %rax
	shl $12, %rax
	add %rax, %rdi
	lock andq $~PTE_P, pt(, %rcx, 8)
	invlpg (%rdi)
	lock orq $PTE_P, pt(, %rcx, 8)
	TRY mov (%rdi), %rsi
	EXPECT_NONE 1
	cmp $0x1111, %rsi
	CHECK e, 2
	dec %ecx
	jnz 3b
	dec %ebp
	jnz 2b
	EXIT 0

second:
	movl $1, running
#ifdef ACCESSED
4:	mov $PAGES - 1, %ecx
5:	lock btrq $5, pt(, %rcx, 8)
	dec %ecx
	jnz 5b
	jmp 4b
#else
4:	lock xorq $OWN, ENTRY
	jmp 4b
#endif

	.data
	.balign 8
running: .long 0
	CPU_START_REQUEST request, GNOMON_ABI_VERSION, 1, second
