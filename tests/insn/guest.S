/* SPDX-License-Identifier: MIT */
/* The guest's kernel: the entry, what becomes of exceptions, and the services (insn.h). As few instructions as will do:
 * each costs a microsecond where KVM emulates CPL 0. */
#include <gnomon/abi.h>
#include <gnomon/x86.h>

#include "insn.h"

/* Vectors for which the CPU pushes an error code, APM2 8.2 */
#define HAS_ERROR_CODE \
	(1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30)
#define PROGRAM_FLAGS (RFLAGS_FIXED | RFLAGS_IF)

	.text
	.globl start
start:					/* RDI: the device tree */
	mov $kernel_stack, %esp
	call guest_init

/* guest_enter(fsgsbase): the program begins. */
	.globl guest_enter
guest_enter:
	mov %rdi, %rsi
	mov $BLOCK_PHYS, %edi
	xor %eax, %eax
	mov %eax, %ds
	mov %eax, %es
	push $USER_DS
	push $(user_stack - 8)
	push $PROGRAM_FLAGS
	push $USER_CS
	push $insn_loop
	iretq

	.set vector, 0
	.globl vectors
	.balign 16
vectors:
	.rept 256
	.balign 16
	.if vector >= 32
	push $0
	.elseif (HAS_ERROR_CODE >> vector & 1) == 0
	push $0
	.endif
	push $vector
	jmp trap
	.set vector, vector + 1
	.endr

	.globl syscalled
syscalled:
	mov %rsp, syscall_rsp
	mov $kernel_stack, %rsp
	push $USER_DS
	push syscall_rsp
	push %r11
	push $USER_CS
	push %rcx
	push $0
	push $VECTOR_SYSCALL

trap:	cmpq $VEC_BP, (%rsp)
	je breakpoint
1:	mov %rax, trapped
	mov %rcx, trapped + 8 * 1
	mov %rdx, trapped + 8 * 2
	mov %rbx, trapped + 8 * 3
	mov %rbp, trapped + 8 * 5
	mov %rsi, trapped + 8 * 6
	mov %rdi, trapped + 8 * 7
	mov %r8, trapped + 8 * 8
	mov %r9, trapped + 8 * 9
	mov %r10, trapped + 8 * 10
	mov %r11, trapped + 8 * 11
	mov %r12, trapped + 8 * 12
	mov %r13, trapped + 8 * 13
	mov %r14, trapped + 8 * 14
	mov %r15, trapped + 8 * 15
	pop trapped + T_VECTOR
	pop trapped + T_ERROR
	mov (%rsp), %rax
	mov 8(%rsp), %rcx
	mov 16(%rsp), %rdx
	mov 24(%rsp), %rsi
	mov 32(%rsp), %rdi
	mov %rax, trapped + T_RIP
	mov %rcx, trapped + T_CS
	mov %rdx, trapped + T_RFLAGS
	mov %rsi, trapped + CASE_RSP
	mov %rdi, trapped + T_SS
	test $3, %cl
	jz astray
	lea -GNOMON_LOADER_END(%rax), %rcx
	cmp $(image_end - GNOMON_LOADER_END), %rcx	/* the program is part of the image */
	jb astray
	xor %eax, %eax
	cmpq $VEC_PF, trapped + T_VECTOR
	jne 2f
	mov %cr2, %rax
2:	mov %rax, trapped + T_CR2
	cmpq $0, flipped
	je 3f
	call flip
	movq $0, flipped
3:
	mov saved_rsp, %rax
	movq $resume, (%rsp)
	movq $PROGRAM_FLAGS, 16(%rsp)
	mov %rax, 24(%rsp)
	iretq

breakpoint:
	cmpq $service_end, 16(%rsp)
	jne 1b
	add $16, %rsp
	cmp $SERVICE_ENTER, %eax
	je enter
	cmp $SERVICE_FLUSH, %eax
	je flush
	cmp $SERVICE_FORMER, %eax
	je former
	cmp $SERVICE_BASES, %eax
	je bases
	cmp $SERVICE_PRINT, %eax
	je print_bytes
	cmp $SERVICE_END, %eax
	je finish
	/* SERVICE_FALL: nothing can deliver what comes next. */
	lidt no_table
	ud2

enter:	mov current, %rdi
	mov CASE_FLIPS(%rdi), %rax
	test %rax, %rax
	jz 1f
	mov %rax, flipped
	call flip
1:
	mov CASE_RIP(%rdi), %rax
	mov %rax, (%rsp)
	mov CASE_RFLAGS(%rdi), %rax
	mov %rax, 16(%rsp)
	mov CASE_RSP(%rdi), %rax
	mov %rax, 24(%rsp)
	mov (%rdi), %rax
	mov 8 * 1(%rdi), %rcx
	mov 8 * 2(%rdi), %rdx
	mov 8 * 3(%rdi), %rbx
	mov 8 * 5(%rdi), %rbp
	mov 8 * 6(%rdi), %rsi
	mov 8 * 8(%rdi), %r8
	mov 8 * 9(%rdi), %r9
	mov 8 * 10(%rdi), %r10
	mov 8 * 11(%rdi), %r11
	mov 8 * 12(%rdi), %r12
	mov 8 * 13(%rdi), %r13
	mov 8 * 14(%rdi), %r14
	mov 8 * 15(%rdi), %r15
	mov 8 * 7(%rdi), %rdi
	iretq

/* Clobbers RAX and RCX. */
flip:	mov %cr0, %rax
	mov flipped, %ecx
	xor %rcx, %rax
	mov %rax, %cr0
	mov %cr4, %rax
	mov flipped + 4, %ecx
	xor %rcx, %rax
	mov %rax, %cr4
	ret

flush:	mov root, %rax
	mov %rax, %cr3
	iretq

former:	movq $(TEST_PHYS + PAGE_FORMER * 4096 + (PTE_P | PTE_W | PTE_U | PTE_A)), \
		TEST_PHYS + PAGE_TABLE2 * 4096 + FORMER_ENTRY * 8
	movabs $FORMER_VA, %rax
	mov (%rax), %rax
	movq $0, TEST_PHYS + PAGE_TABLE2 * 4096 + FORMER_ENTRY * 8
	jmp flush

bases:	mov $MSR_FS_BASE, %ecx
	mov $FS_BASE, %eax
	xor %edx, %edx
	wrmsr
	mov $MSR_GS_BASE, %ecx
	mov $(GS_BASE & 0xffffffff), %eax
	mov $(GS_BASE >> 32), %edx
	wrmsr
	iretq

print_bytes:
	mov %rsi, %rcx
	mov %rdi, %rsi
	mov $GNOMON_PORT_SERIAL, %edx
	cld
	rep outsb
	iretq

finish:	xor %eax, %eax
	out %al, $GNOMON_PORT_EXIT
1:	pause
	jmp 1b

/* try_cr4(value): writes CR4; an exception leaves it as it was. Returns what it is. */
	.globl try_cr4
try_cr4:
	mov %rdi, %cr4
no_cr4:	mov %cr4, %rax
	ret

/* An exception in the program or in here: expected at two places. */
astray:	cmpq $try_cr4, trapped + T_RIP
	jne 1f
	movq $no_cr4, (%rsp)
	iretq
1:	cmpq $asks_xgetbv, trapped + T_RIP
	jne 2f
	movq $no_xgetbv, (%rsp)
	iretq
2:	mov trapped + T_VECTOR, %rdi
	mov trapped + T_ERROR, %rsi
	mov trapped + T_RIP, %rdx
	mov %cr2, %rcx
	call trapped_astray

	.data
	.globl gdt, root
	.balign 16
gdt:	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff	/* GNOMON_BOOT_CS, GNOMON_BOOT_DS */
	.quad 0x00affb000000ffff, 0x00cff3000000ffff	/* USER_CS, USER_DS */
	.quad 0, 0					/* TSS: its base is filled in */
root:	.quad 0
syscall_rsp: .quad 0
flipped: .quad 0			/* CASE_FLIPS, while they are in force */
no_table: .word 0
	.quad 0

	.bss
	.globl trap_stack
	.balign 16
	.skip 8192
kernel_stack:
	.skip 4096
trap_stack:				/* its end: RSP0 */
	.skip 16384
user_stack:

	/* The checker puts the block here, and tells of its size. */
	.section .block, "aw", @progbits
	.quad 0
	.section .note.GNU-stack, "", @progbits
