/* SPDX-License-Identifier: MIT */
/*
 * SYSCALL and SYSENTER of a program, switched on and off: APM3 SYSCALL, SDM vol. 2 SYSENTER. SCE_OFF: with EFER.SCE
 * clear SYSCALL is #UD and changes no register.
 */
#include "program.inc"

start:
	PREPARE_PROGRAM
#ifdef SCE_OFF
	RUN syscall_program
	EXPECT VEC_UD, 1
	EXPECT_RIP AT(at_syscall), 2
	cmp $0x1111, %rcx
	CHECK e, 3
	cmp $0x2222, %r11
	CHECK e, 4
#else
	RUN syscall_program
	EXPECT VEC_UD, 1
	EXPECT_RIP AT(at_syscall), 2
	mov $MSR_EFER, %ecx
	rdmsr
	or $EFER_SCE, %eax
	wrmsr
	mov $MSR_STAR, %ecx
	xor %eax, %eax
	mov $GNOMON_BOOT_CS, %edx
	wrmsr
	mov $MSR_LSTAR, %ecx
	mov $entry, %eax
	xor %edx, %edx
	wrmsr
	mov $MSR_SYSCALL_MASK, %ecx
	mov $(RFLAGS_DF | RFLAGS_TF), %eax
	wrmsr
	/* R11 holds the program's flags, NT and DF and AC among them, and not the VMM's TF. */
	RUN syscall_program, (RFLAGS_FIXED | 0x4000 | RFLAGS_AC | RFLAGS_DF)
	EXPECT NONE, 3
	movabs $AT(at_syscall + 2), %rax
	cmp %rax, %rcx
	CHECK e, 4
	and $~RFLAGS_IF, %r11
	cmp $(RFLAGS_FIXED | 0x4000 | RFLAGS_AC | RFLAGS_DF), %r11
	CHECK e, 5
	pushq $RFLAGS_FIXED
	popfq
	/* IOPL, too. */
	RUN syscall_program, (RFLAGS_FIXED | 0x3000)
	EXPECT NONE, 10
	and $~RFLAGS_IF, %r11
	cmp $(RFLAGS_FIXED | 0x3000), %r11
	CHECK e, 11
	/* SYSENTER: with its MSR 0 it is #GP, on CPUs that have it in 64-bit code; #UD on others. */
	RUN sysenter_program
	cmpq $VEC_UD, vector
	je 9f
	EXPECT_ERROR VEC_GP, 0, 6
	mov $MSR_SYSENTER_CS, %ecx
	mov $GNOMON_BOOT_CS, %eax
	xor %edx, %edx
	wrmsr
	mov $MSR_SYSENTER_EIP, %ecx
	mov $entry, %eax
	wrmsr
	mov $MSR_SYSENTER_ESP, %ecx
	mov $stack_top - 256, %eax
	wrmsr
	RUN sysenter_program
	EXPECT NONE, 8
	cmp $(stack_top - 256), %r12
	CHECK e, 9
9:
#endif
	EXIT 0

/* Both lead here. */
entry:	mov %rsp, %r12
	mov kernel_rsp, %rsp
	jmp *resume

syscall_program:
	mov $0x1111, %ecx
	mov $0x2222, %r11d
at_syscall:
	syscall
	ud2
sysenter_program:
	sysenter
	ud2
