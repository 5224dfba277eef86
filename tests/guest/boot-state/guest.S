/* SPDX-License-Identifier: MIT */
/* The state that include/gnomon/abi.h promises to the boot CPU. Wants 1 GiB of memory. */
#include "guest.inc"

start:
	mov $stack_top, %rsp
	pushfq
	pop %rax
	cmp $RFLAGS_FIXED, %rax
	CHECK e, 1
	mov %cr0, %rax
	mov $(CR0_PE | CR0_NE | CR0_ET | CR0_PG | CR0_WP), %ecx
	cmp %rcx, %rax
	CHECK e, 2
	mov %cr4, %rax
	cmp $CR4_PAE, %rax
	CHECK e, 3
	mov $MSR_EFER, %ecx
	rdmsr
	cmp $(EFER_LME | EFER_LMA | EFER_NXE), %eax
	CHECK e, 4
	test %edx, %edx
	CHECK z, 5
	mov %cs, %eax
	cmp $GNOMON_BOOT_CS, %ax
	CHECK e, 6
	mov %ss, %eax
	cmp $GNOMON_BOOT_DS, %ax
	CHECK e, 7
	mov %ds, %eax
	cmp $GNOMON_BOOT_DS, %ax
	CHECK e, 8
	mov %es, %eax
	cmp $GNOMON_BOOT_DS, %ax
	CHECK e, 9

	/* RDI: a device tree (its magic is big-endian) in the loader's MiB. */
	cmp $GNOMON_LOADER_END, %rdi
	CHECK b, 10
	cmpl $0xedfe0dd0, (%rdi)
	CHECK e, 11
	mov $GNOMON_BOOT_VIRT, %rbx
	cmpl $0xedfe0dd0, (%rbx, %rdi)
	CHECK e, 12

	/* Both mappings are one memory, writable, up to the last byte of the first GiB. */
	movl $0x11223344, word
	cmpl $0x11223344, word(%rbx)
	CHECK e, 13
	movl $0x55667788, 0x3ffffffc(%rbx)
	cmpl $0x55667788, 0x3ffffffc
	CHECK e, 14
	mov $high, %rax
	add %rbx, %rax
	jmp *%rax
high:
	/* What the image does not cover is zero, its bss too. */
	cmpq $0, 0x20000000
	CHECK e, 15
	cmpq $0, idt
	CHECK e, 16
	EXIT 0

	.data
word:	.long 0
