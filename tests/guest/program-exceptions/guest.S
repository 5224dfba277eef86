/* SPDX-License-Identifier: MIT */
/*
 * Whatever a program does, its kernel gets the exception that the CPU owes for it, with error code and address, and the
 * run goes on. Among it are instructions that no emulator of page-table writes has a reason to know. Left out, on PVM,
 * is what KVM's own emulator does without a trap, and with QEMU what that CPU does not check.
 */
#include "program.inc"

#define HOLE       X86_U64(0x800000000000) /* not canonical */
#define NO_SEGMENT 0x1f0
#define SEGMENT32  0x1f8 /* not in the real GDT */
#define DEVICE     0xd8000000

/* `insn` alone: this exception at it. Statuses from `status` on, three of them. */
.macro RAISES status, what, code, insn:vararg
	.pushsection .text, 1
10:	\insn
	ud2
	.popsection
	movabs $AT(page), %rdi
	movabs $HOLE, %rsi
	mov %rsi, %rbp
	mov $NO_SEGMENT, %r8d
	mov $GNOMON_BOOT_DS, %r9d
	xor %r10d, %r10d
	movabs $GNOMON_RESERVED_BASE, %r11
	RUN 10b
	EXPECT \what, \status
	cmpq $\code, error
	CHECK e, \status + 1
	EXPECT_RIP AT(10b), \status + 2
.endm

start:
	PREPARE_PROGRAM
	mov %cr4, %rax
	or $CR4_OSFXSR, %eax
	mov %rax, %cr4
	/* Alignment, APM1 4.3.2. */
	RAISES 1, VEC_GP, 0, movaps 1(%rdi), %xmm0
	RAISES 4, VEC_GP, 0, movntdq %xmm0, 8(%rdi)
	RAISES 7, VEC_GP, 0, addps 4(%rdi), %xmm1
#ifndef PVM
	RAISES 10, VEC_GP, 0, fxsave 8(%rdi)
#endif
	RAISES 13, VEC_GP, 0, cmpxchg16b 8(%rdi)
	/* Addresses that no table translates: #SS by the stack's registers, else #GP. */
	RAISES 16, VEC_GP, 0, shll (%rsi)
	RAISES 19, VEC_GP, 0, mov (%rsi), %rax
#ifndef QEMU
	RAISES 22, VEC_GP, 0, movups %xmm0, -8(%rsi)
#endif
	RAISES 25, VEC_GP, 0, fldl (%rsi)
	RAISES 28, VEC_GP, 0, cmpsb
#ifndef QEMU
	RAISES 31, VEC_GP, 0, jmp *%rsi
	RAISES 34, VEC_SS, 0, rolq (%rbp)
#endif
	/* Privileged, known to the emulator or not. */
	RAISES 37, VEC_GP, 0, hlt
	RAISES 40, VEC_GP, 0, invlpg (%rdi)
	RAISES 43, VEC_GP, 0, mov %cr8, %rax
	RAISES 46, VEC_GP, 0, wrmsr
	RAISES 49, VEC_GP, 0, lmsw %ax
	/* None at all. */
	RAISES 52, VEC_UD, 0, ud2
	RAISES 55, VEC_UD, 0, .byte 0x06
	RAISES 58, VEC_UD, 0, .byte 0xf0, 0x01, 0xc0
	RAISES 61, VEC_UD, 0, .byte 0x0f, 0xff, 0xc0
	RAISES 64, VEC_UD, 0, .byte 0x8e, 0xc8
	RAISES 67, VEC_GP, 0, .byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90
	/* Segments: no such one, the kernel's, and none for the stack. */
	RAISES 70, VEC_GP, NO_SEGMENT, mov %r8d, %ds
	RAISES 73, VEC_GP, GNOMON_BOOT_DS, mov %r9d, %es
	RAISES 76, VEC_GP, 0, mov %r10d, %ss
	RAISES 79, VEC_GP, NO_SEGMENT, lss far(%rip), %eax
	RAISES 82, VEC_GP, NO_SEGMENT, lgs far(%rip), %eax
	/* Arithmetic. */
	RAISES 85, VEC_DE, 0, div %r10d
	/* Addresses that nothing is mapped at, the range of the VMM among them; a page of the kernel's; one to read. */
	RAISES 88, VEC_PF, PFEC_U, mov (%r11), %rax
	EXPECT_CR2 0xfffffe0000000000, 91
	RAISES 92, VEC_PF, PFEC_U | PFEC_W, movups %xmm0, 0x3000(%r11)
	EXPECT_CR2 0xfffffe0000003000, 95
	movabs $GNOMON_RESERVED_BASE, %r11
	RUN jump
	EXPECT_ERROR VEC_PF, PFEC_U | PFEC_I, 96
	EXPECT_RIP GNOMON_RESERVED_BASE, 98
#ifdef PVM
	/*
	 * What KVM's emulator takes for something else: for IRETQ, for an access to the stack, for one that is aligned.
	 */
	RAISES 99, VEC_UD, 0, .byte 0xf0, 0x48, 0xcf
	RAISES 102, VEC_GP, 0, .byte 0x36, 0x48, 0xd1, 0x06 /* rolq %ss:(%rsi) */
	RAISES 105, VEC_GP, 0, movaps 1(%rbp), %xmm0
	/* What ends a VM in its kernel: an instruction that nobody emulates at a device, and the way to 32-bit code. */
	mov $(DEVICE + RIGHTS), %eax
	mov %rax, pt + 8
	movabs $PAGE(1), %r12
	RAISES 108, VEC_UD, 0, rolq (%r12)
	lgdt wide_gdt_pointer
	RAISES 111, VEC_UD, 0, ljmp *far32(%rip)
	ASK_CPUID 7
	test $(1 << 28), %r10d
	jz 1f
	/* Of two addresses the first counts, which is the one that is read. */
	RAISES 114, VEC_SS, 0, movdir64b (%rbp), %rsi
1:	ASK_CPUID 7
	test $(1 << 5), %r9d
	jz 1f
	/*
	 * A gather from pages that the shadow does not know: one trap, behind it. Where one is absent: first the trap.
	 */
	MAP 2, page, PTE_W | PTE_U
	MAP 3, page, PTE_W | PTE_U
	MAP 4, page, PTE_W | PTE_U
	RUN set_lanes
	EXPECT VEC_UD, 117
	movabs $PAGE(2), %rdi
	RUN gather, (RFLAGS_FIXED | RFLAGS_TF)
	EXPECT VEC_DB, 118
	EXPECT_RIP AT(gather_end), 119
	RUN set_lanes
	MAP 4, 0, -PTE_P
	RUN gather, (RFLAGS_FIXED | RFLAGS_TF)
	EXPECT VEC_DB, 120
	EXPECT_RIP AT(gather), 121
	RUN gather
	EXPECT VEC_PF, 122
1:
#endif
#ifndef QEMU /* its error code is another */
	/* Gates of DPL 0 are not for INT n. */
	RAISES 123, VEC_GP, (VEC_OF * 8 + 2), int $VEC_OF
#endif
	EXIT 0
jump:	jmp *%r11
far:	.long 0
	.word NO_SEGMENT, NO_SEGMENT, NO_SEGMENT
#ifdef PVM
set_lanes:
	vmovdqu lanes(%rip), %xmm1
	vpcmpeqd %xmm2, %xmm2, %xmm2
	ud2
gather:	vpgatherdd %xmm2, (%rdi,%xmm1), %xmm0
gather_end:
	ud2
lanes:	.long 0, 4096, 8, 8192
far32:	.long IMAGE
	.word SEGMENT32 + 3

/* The others as they were, and one of a program's 32-bit code. */
wide_gdt:	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff
	.org wide_gdt + SEGMENT32
	.quad 0x00cffb000000ffff
wide_gdt_pointer: .word SEGMENT32 + 7
	.quad wide_gdt
#endif
