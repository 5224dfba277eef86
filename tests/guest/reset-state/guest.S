/* SPDX-License-Identifier: MIT */
/*
 * Prints all the state of a CPU that it can reach, a line each, changes it, prints it again, and waits for a reset.
 * "-" stands for what this CPU does not have. Between the two lists the state is as different as it can be.
 * REPEAT: prints it again and again, with the FPU as CPL 3 finds it.
 */
#include "shadow-fault/fault.inc"

#define PROGRAM_DATA (TEST_PAGE(1))
#define FX_FCW       0
#define FX_MXCSR     24
#define FX_ST0       32
#define FX_XMM0      160

/* One MSR: its name, its number, and what it is changed to. */
.macro MSR name, number, value
	.ascii "\name"
	.balign 8, ' '
	.quad \number, \value
.endm

start:
	PREPARE
	lgdt user_gdt_pointer
	mov $tss, %rax
	mov %ax, tss_descriptor + 2
	shr $16, %rax
	mov %al, tss_descriptor + 4
	mov %ah, tss_descriptor + 7
	movq $trap_stack_top, tss + 4
	mov $0x38, %eax
	ltr %ax
	mov %cr4, %rax
	or $0x600, %eax /* OSFXSR, OSXMMEXCPT */
	mov %rax, %cr4
	MAP 0, program, PTE_U
	MAP 1, other, PTE_W | PTE_U

	PRINT before
	call print_msrs
	call print_registers
	call run_program /* which changes what it can change at CPL 3 */
	mov $other, %ebx
	call print_fpu
	call change
	PRINT after
	call print_msrs
	call print_registers
	mov $other + 0x400, %ebx
	call print_fpu
	PRINT done
#ifdef REPEAT
	mov $3000, %ebp
#endif
1:	mov $GNOMON_PORT_NOP, %dx
	out %eax, %dx
#ifdef REPEAT
	dec %ebp
	jz again
#endif
	jmp 1b

#ifdef REPEAT
again:
	movabs $(TEST + look - program), %rax
	movabs $(PROGRAM_DATA + 0x400), %rbx
	call run_at
	PRINT after
	call print_msrs
	call print_registers
	mov $other + 0x400, %ebx
	call print_fpu
	PRINT done
	mov $3000, %ebp
	jmp 1b
#endif

/* --- MSRs --- */

/* RDMSR of the one at rbx: its value in rax; `vector` is not 0 when there is none. */
read_msr:
	mov 8(%rbx), %ecx
	TRY rdmsr
	shl $32, %rdx
	mov %eax, %eax
	or %rdx, %rax
	ret

print_msrs:
	mov $msrs, %ebx
1:	call read_msr
	cmpq $0, vector
	jne 2f
	mov %rbx, %rsi
	call print
	jmp 3f
2:	mov %rbx, %rsi
	call print_name
	PRINT none
3:	add $24, %rbx
	cmp $msrs_end, %rbx
	jb 1b
	ret

change:
	mov $msrs, %ebx
1:	mov 8(%rbx), %ecx
	mov 16(%rbx), %eax
	mov 20(%rbx), %edx
	TRY wrmsr
	add $24, %rbx
	cmp $msrs_end, %rbx
	jb 1b
	mov $5, %eax
	TRY mov %rax, %cr8
	mov $0x1234567, %eax
	mov %rax, %dr0
	mov %rax, %dr3
	mov $0x100, %eax /* LE, and none of them enabled */
	mov %rax, %dr7
	mov $0x7654321000, %rax
	mov %rax, %cr2
	ret

/* --- control and debug registers, FPU --- */

.macro REGISTER name, from
	mov \from, %rax
	mov $7f, %esi
	call print
	.data
7:	.ascii "\name"
	.balign 8, ' '
	.text
.endm

print_registers:
	REGISTER "cr8", %cr8
	REGISTER "cr2", %cr2
	REGISTER "dr0", %dr0
	REGISTER "dr3", %dr3
	REGISTER "dr6", %dr6
	REGISTER "dr7", %dr7
	REGISTER "clock", other + 0xc00 /* where KVM's clock would go on writing */
	ret

/* The image that FXSAVE made at rbx. */
print_fpu:
	REGISTER "fcw", FX_FCW(%rbx)
	REGISTER "mxcsr", FX_MXCSR(%rbx)
	REGISTER "st0", FX_ST0(%rbx)
	REGISTER "xmm0", FX_XMM0(%rbx)
	ret

/* CPL 3, where each CPU has FXSAVE. Comes back by the #GP of its HLT, on the stack of the TSS. */
run_program:
	mov $TEST, %rax
	mov $PROGRAM_DATA, %rbx
/* The same at rax, with rbx as it is. */
run_at:
	mov %rax, entry
	mov %rsp, kernel_stack
	SET_GATE VEC_GP, program_ends
	pushq $0x1b
	mov $PROGRAM_DATA, %rax
	push %rax
	pushq $RFLAGS_FIXED
	pushq $0x23
	push entry
	iretq
program_ends:
	SET_GATE VEC_GP, general_protection
	mov kernel_stack, %rsp
	ret

	.balign 4096
program:
	fxsave (%rbx)
	fxsave 0x200(%rbx)
	movw $0x27f, 0x200 + FX_FCW(%rbx)
	movl $0x1fc0, 0x200 + FX_MXCSR(%rbx)
	movb $0xff, 0x204(%rbx) /* FTW: all of them are in use */
	mov $0x123456789abcdef, %rax
	mov %rax, 0x200 + FX_ST0(%rbx)
	mov %rax, 0x200 + FX_XMM0(%rbx)
	fxrstor 0x200(%rbx)
	fxsave 0x400(%rbx)
	hlt
look:	fxsave (%rbx)
	hlt
	.balign 4096

/* --- printing --- */

/* The eight characters at rsi. */
print_name:
	mov $8, %ecx
	mov $GNOMON_PORT_SERIAL, %dx
	rep outsb
	ret

/* The name at rsi, rax in hexadecimal, and the end of the line. */
print:
	push %rax
	call print_name
	pop %rax
	mov $digits, %edi
	mov $16, %r8d
1:	rol $4, %rax
	mov %eax, %ecx
	and $15, %ecx
	mov hex(%rcx), %cl
	mov %cl, (%rdi)
	inc %rdi
	dec %r8d
	jnz 1b
	PRINT digits
	ret

	.data
before:	.ascii "before\n"
before_end:
after:	.ascii "after\n"
after_end:
done:	.ascii "done\n"
done_end:
none:	.ascii "-\n"
none_end:
hex:	.ascii "0123456789abcdef"
digits:	.ascii "0123456789abcdef\n"
digits_end:
	.balign 8
entry:	.quad 0
msrs:
	MSR "pat", 0x277, 0x0000000000000406
	MSR "sys_cs", 0x174, 0x10
	MSR "sys_esp", 0x175, 0x123000
	MSR "sys_eip", 0x176, 0x456000
	MSR "star", 0xc0000081, 0x0013000800000000
	MSR "lstar", 0xc0000082, 0x401000
	MSR "cstar", 0xc0000083, 0x402000
	MSR "sfmask", 0xc0000084, 0x700
	MSR "fs_base", 0xc0000100, 0x11223344
	MSR "gs_base", 0xc0000101, 0x55667788
	MSR "kgsbase", 0xc0000102, 0x99aabbcc
	MSR "tsc_aux", 0xc0000103, 0x42
	MSR "tsc_adj", 0x3b, 0x1000000
	MSR "misc_en", 0x1a0, 0x1
	MSR "dbgctl", 0x1d9, 0x1
	MSR "mcgstat", 0x17a, 0x4
	MSR "mc0_ctl", 0x400, 0xffffffffffffffff
	MSR "mtrrdef", 0x2ff, 0xc06
	MSR "mtrrfix", 0x250, 0x0606060606060606
	MSR "mtrrf4k", 0x26f, 0x0505050505050505
	MSR "mtrrb0", 0x200, 0x80000006
	MSR "mtrrm7", 0x20f, 0xc0000800
	MSR "kvmclk", 0x4b564d01, (other + 0xc00 + 1)
	MSR "kvmwall", 0x4b564d00, (other + 0xd00)
	MSR "kvmpoll", 0x4b564d05, 0
msrs_end:
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
	.balign 16
	.skip 4096
trap_stack_top:
kernel_stack:
	.skip 8
