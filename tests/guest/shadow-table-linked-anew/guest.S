/* SPDX-License-Identifier: MIT */
/*
 * A leaf table changes without a flush, and is then linked at a place that was absent. No TLB can hold anything of that
 * place: there each entry counts as it stands, without a flush. At the old place the old entries may go on until one.
 *
 *   UPPER     the table above is what is linked anew, one level up
 *   TOP       two levels up
 *   FULL      the table maps 2 MiB in a row, so that a 2 MiB entry may stand for it; MANY of its entries change
 */
#include "shadow-fault/fault.inc"

#ifdef TOP
#define PLACE        (2 * TEST) /* PML4 slot 2 */
#define LINK         mov %cr3, %rax; movq $(pdpt + (PTE_P | PTE_W | PTE_U)), 16(%rax)
#elif defined(UPPER)
#define PLACE        TEST_HUGE(1)
#define LINK         movq $(pd + (PTE_P | PTE_W | PTE_U)), pdpt + 8
#else
#define PLACE        TEST_LARGE(1)
#define LINK         movq $(pt + (PTE_P | PTE_W | PTE_U)), pd + 8
#endif
#define BLOCK        0x1000000 /* of RAM, for FULL */
#define RIGHTS       (PTE_P | PTE_W | PTE_U)

start:
	PREPARE
	movq $0x1111, page
	movq $0x2222, other
#ifdef FULL
	mov $(BLOCK + (RIGHTS | PTE_A | PTE_D)), %rax
	mov $pt, %rdi
	mov $512, %ecx
1:	stosq
	add $4096, %rax
	loop 1b
	mov %cr3, %rax
	mov %rax, %cr3
	movq $0x1111, BLOCK
#else
	MAP 0, page, PTE_W | PTE_U
	MAP 1, page, PTE_W | PTE_U
	MAP 2, page, PTE_W | PTE_U
	MAP 3, page, PTE_W | PTE_U
#endif
	/* Everything is known at the old place. */
	mov $TEST, %rsi
	TRY mov (%rsi), %rbx
	EXPECT_NONE 1
	TRY movq $0x1112, 0x1000(%rsi)
	EXPECT_NONE 2
	TRY movq $0x1113, 0x2000(%rsi)
	EXPECT_NONE 3
	TRY movq $0x1114, 0x3000(%rsi)
	EXPECT_NONE 4
	/* 1: another page, 2: read-only, 3: absent, 4: not seen as accessed. No INVLPG. */
	movq $(other + RIGHTS), pt + 8
	movq $(page + (PTE_P | PTE_U)), pt + 16
	movq $0, pt + 24
	movq $(page + RIGHTS), pt + 32
#ifdef MANY
	mov $(other + RIGHTS), %rax
	mov $pt + 8 * 64, %rdi
	mov $40, %ecx
	rep stosq
#endif
	LINK
	mov $PLACE, %rdi
	TRY mov (%rdi), %rbx		/* unchanged; it links the table here */
	EXPECT_NONE 5
	TRY mov 0x1000(%rdi), %rbx
	EXPECT_NONE 6
	cmp $0x2222, %rbx
	CHECK e, 7
	TRY movq $0x9999, 0x2000(%rdi)
	EXPECT_PF PFEC_P | PFEC_W, PLACE + 0x2000, 8
	TRY mov 0x3000(%rdi), %rbx
	EXPECT_PF 0, PLACE + 0x3000, 11
	TRY mov 0x4000(%rdi), %rbx
	EXPECT_NONE 14
	testq $PTE_A, pt + 32
	CHECK nz, 15
	/* Once more, the other way round: what was added and taken meanwhile counts at a third place. */
	movq $(page + (PTE_P | PTE_U)), pt + 8
	movq $(other + RIGHTS), pt + 16
	movq $(other + RIGHTS), pt + 24
#ifdef TOP
	mov %cr3, %rax
	movq $(pdpt + (PTE_P | PTE_W | PTE_U)), 24(%rax)
	mov $(3 * TEST), %rdi
#elif defined(UPPER)
	movq $(pd + (PTE_P | PTE_W | PTE_U)), pdpt + 16
	mov $TEST_HUGE(2), %rdi
#else
	movq $(pt + (PTE_P | PTE_W | PTE_U)), pd + 16
	mov $TEST_LARGE(2), %rdi
#endif
	TRY mov 0x2000(%rdi), %rbx
	EXPECT_NONE 16
	cmp $0x2222, %rbx
	CHECK e, 17
	TRY mov 0x3000(%rdi), %rbx
	EXPECT_NONE 18
	cmp $0x2222, %rbx
	CHECK e, 19
	TRY movq $0x9999, 0x1000(%rdi)
	EXPECT VEC_PF, PFEC_P | PFEC_W, 20
	EXIT 0
