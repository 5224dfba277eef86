/* SPDX-License-Identifier: MIT */
/* To a program with SYSRETQ and back with SYSCALL, twice; then its fault on a kernel page comes by the TSS's stack. */
#include "shadow-fault/fault.inc"

#define STACK_TOP_OF_PROGRAM (TEST_PAGE(1) + 0x800)

start:
	PREPARE
	lgdt user_gdt_pointer
	mov $tss, %rax
	mov %ax, tss_descriptor + 2
	shr $16, %rax
	mov %al, tss_descriptor + 4
	mov %ah, tss_descriptor + 7
	movq $stack_top, tss + 4
	mov $0x38, %eax
	ltr %ax
	SET_GATE VEC_PF, program_fault
	MAP 0, program, PTE_U
	MAP 1, other, PTE_W | PTE_U
	MAP 2, page, PTE_W
	mov $MSR_STAR, %ecx
	xor %eax, %eax
	mov $(0x0013 << 16 | GNOMON_BOOT_CS), %edx /* SYSRET: SS 0x1b, CS 0x23 */
	wrmsr
	mov $MSR_LSTAR, %ecx
	mov $entry, %eax
	xor %edx, %edx
	wrmsr
	mov $MSR_SYSCALL_MASK, %ecx
	mov $1, %eax /* CF */
	wrmsr
	mov $MSR_EFER, %ecx
	rdmsr
	or $EFER_SCE, %eax
	wrmsr
	mov $TEST, %rcx
	mov $RFLAGS_FIXED, %r11d
	mov $STACK_TOP_OF_PROGRAM, %rsp
	xor %ebx, %ebx
	sysretq

entry:	CHECK nc, 1
	test $1, %r11b
	CHECK nz, 2
	mov $STACK_TOP_OF_PROGRAM, %rax
	cmp %rax, %rsp
	CHECK e, 3
	mov $TEST, %rax
	add %rbx, %rax
	cmp %rax, %rcx
	CHECK e, 4
	sysretq

program_fault: /* SS, RSP, RFLAGS, CS, RIP and the error code, on the TSS's stack */
	cmp $(stack_top - 48), %rsp
	CHECK e, 5
	cmpq $(PFEC_P | PFEC_U), (%rsp)
	CHECK e, 6
	movabs $(TEST + (attempt - program)), %rax
	cmp %rax, 8(%rsp)
	CHECK e, 7
	cmpq $0x23, 16(%rsp)
	CHECK e, 8
	mov $STACK_TOP_OF_PROGRAM, %rax
	cmp %rax, 32(%rsp)
	CHECK e, 9
	mov $TEST_PAGE(2), %rax
	mov %cr2, %rcx
	cmp %rax, %rcx
	CHECK e, 10
	EXIT 0

	.balign 4096
program:
	mov $(first - program), %ebx
	stc
	syscall
first:	mov $(second - program), %ebx
	stc
	syscall
second:	mov $TEST_PAGE(2), %rax
attempt:
	mov (%rax), %rax
	ud2
	.balign 4096

	.data
	.balign 8
user_gdt:
	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
	.quad 0x00cff3000000ffff, 0x00affb000000ffff /* 0x18, 0x20: the program's data and code */
	.quad 0, 0
tss_descriptor: /* 0x38 */
	.quad 0x0000890000000067, 0
user_gdt_pointer:
	.word user_gdt_pointer - user_gdt - 1
	.quad user_gdt

	.bss
	.balign 16
tss:	.skip 0x68
