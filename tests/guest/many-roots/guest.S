/* SPDX-License-Identifier: MIT */
/*
 * The kernel goes through 500 address spaces that share everything below the PML4, twice, and each works: a page that
 * only some of them map, and a copy between two far places that needs many tables at once.
 */
#include "program.inc"

#define SPACES  500
#define ROOTS   0x2000000 /* one page each */
#define FROM    X86_U64(0x40000000000) /* PML4 slot 8 */
#define TO      X86_U64(0x48000000000) /* PML4 slot 9 */

.macro WAY slot, to
	movq $(1f + RIGHTS), 8 * \slot(%r8)
	movq $(2f + RIGHTS), 1f
	movq $(3f + RIGHTS), 2f
	movq $(\to + RIGHTS), 3f
	.pushsection .bss
	.balign 4096
1:	.skip 4096
2:	.skip 4096
3:	.skip 4096
	.popsection
.endm

start:
	PREPARE_PROGRAM
	mov %cr3, %r8
	WAY 8, page
	WAY 9, other
	mov $ROOTS, %edi
	mov $SPACES, %ebx
1:	mov (%r8), %rax
	mov %rax, (%rdi)
	mov 64(%r8), %rax
	mov %rax, 64(%rdi)
	mov 72(%r8), %rax
	mov %rax, 72(%rdi)
	add $4096, %rdi
	dec %ebx
	jnz 1b
	movabs $FROM, %r12
	movabs $TO, %r13
	mov $2, %r14d
2:	mov $ROOTS, %r15
	mov $SPACES, %ebx
1:	mov %r15, %cr3
	test $31, %ebx
	jnz 3f
	mov %rbx, page
	mov %r12, %rsi
	mov %r13, %rdi
	movsq
	cmp %rbx, other
	CHECK e, 1
3:	add $4096, %r15
	dec %ebx
	jnz 1b
	dec %r14d
	jnz 2b
	EXIT 0
