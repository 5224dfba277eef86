/* SPDX-License-Identifier: MIT */
/* A PML4 that maps itself is legal: tables are read and changed through it, at each level. */
#include "shadow-fault/fault.inc"

#define SLOT X86_U64(2)
#define SELF(l4, l3, l2, l1) ((l4) << 39 | (l3) << 30 | (l2) << 21 | (l1) << 12)

start:
	PREPARE
	movq $0x1111, page
	movq $0x2222, other
	MAP 0, page, PTE_W
	mov %cr3, %rbx
	lea PTE_P + PTE_W(%rbx), %rax
	mov %rax, 8 * SLOT(%rbx)

	/* The PML4 itself: its own entry, A and D set by the walk that is just made. */
	mov $SELF(SLOT, SLOT, SLOT, SLOT), %rsi
	mov 8 * SLOT(%rsi), %rax
	and $~(PTE_A | PTE_D), %rax
	sub %rbx, %rax
	cmp $(PTE_P | PTE_W), %rax
	CHECK e, 1

	/* TEST's leaf table through it: what is written there counts after INVLPG. */
	mov $TEST, %rdi
	cmpq $0x1111, (%rdi)
	CHECK e, 2
	mov $SELF(SLOT, TEST >> 39, 0, 0), %rsi
	mov $(PTE_P | PTE_W), %rax
	add $other, %rax
	mov %rax, (%rsi)
	invlpg (%rdi)
	cmpq $0x2222, (%rdi)
	CHECK e, 3
	cmp %rax, pt
	CHECK ne, 4 /* the walk set A */
	testq $PTE_A, pt
	CHECK nz, 5

	/* A new directory entry, and an old one taken away. */
	mov $SELF(SLOT, SLOT, TEST >> 39, 0), %rsi
	mov pd, %rax
	mov %rax, 8(%rsi)
	mov $TEST_LARGE(1), %rdx
	cmpq $0x2222, (%rdx)
	CHECK e, 6
	movq $0, 8(%rsi)
	invlpg (%rdx)
	TRY mov (%rdx), %rax
	EXPECT_PF 0, TEST_LARGE(1), 7
	EXIT 0
