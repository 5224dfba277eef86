/* SPDX-License-Identifier: MIT */
/*
 * What CPUID offers works: bits of CR4 (a bit without its feature is reserved, APM2 3.1.3), the MSRs of SYSENTER, PAT
 * and RDTSCP, and SYSCALL where EFER has it switched off. Ends with 0; what the host cannot is not offered.
 */
#include "program.inc"

/* Sets one bit of CR4, if `offered`; else it is #GP. And back. Clobbers rax, rbx. */
.macro CR4_BIT bit, status
	mov %cr4, %rbx
	mov %rbx, %rax
	or $(\bit), %rax
	TRY mov %rax, %cr4
	EXPECT NONE, \status
	mov %cr4, %rax
	test $(\bit), %eax
	CHECK nz, \status
	mov %rbx, %cr4
.endm
.macro OFFERED register, bit
	test $(1 << \bit), %\register
	jz 2f
.endm
.macro WRITE_MSR msr, low, high
	mov $\msr, %ecx
	mov $\low, %eax
	mov $\high, %edx
	TRY wrmsr
.endm
/* What was written is read. */
.macro KEEPS_MSR msr, low, high, status
	WRITE_MSR \msr, \low, \high
	EXPECT NONE, \status
	xor %eax, %eax
	xor %edx, %edx
	mov $\msr, %ecx
	TRY rdmsr
	EXPECT NONE, \status
	cmp $\low, %eax
	CHECK e, \status
	cmp $\high, %edx
	CHECK e, \status
.endm

start:
	PREPARE_PROGRAM
	ASK_CPUID 1
	OFFERED r11d, 3
	CR4_BIT CR4_PSE, 1
2:	OFFERED r11d, 4
	CR4_BIT CR4_TSD, 2
2:	OFFERED r11d, 13
	CR4_BIT CR4_PGE, 3
2:	OFFERED r11d, 24
	CR4_BIT CR4_OSFXSR, 4
2:	OFFERED r11d, 25
	CR4_BIT CR4_OSXMMEXCPT, 5
2:	CR4_BIT CR4_PCE, 6
	ASK_CPUID 7
	OFFERED r9d, 0
	CR4_BIT CR4_FSGSBASE, 7
2:	OFFERED r9d, 7
	CR4_BIT CR4_SMEP, 8
2:	OFFERED r9d, 20
	CR4_BIT CR4_SMAP, 9
2:	OFFERED r10d, 2
	CR4_BIT CR4_UMIP, 10
2:	mov %cr4, %rax
	bts $31, %rax
	TRY mov %rax, %cr4
	EXPECT_ERROR VEC_GP, 0, 11
	/* TSD: a program has no RDTSC, the kernel has. */
	mov %cr4, %rax
	or $CR4_TSD, %eax
	mov %rax, %cr4
	RUN time
	EXPECT_ERROR VEC_GP, 0, 13
	EXPECT_RIP AT(time), 14
	TRY rdtsc
	EXPECT NONE, 15
	mov %cr4, %rax
	and $~CR4_TSD, %eax
	mov %rax, %cr4
	RUN time
	EXPECT VEC_UD, 16
	KEEPS_MSR MSR_SYSENTER_ESP, 0x12345678, 0xffff8000, 17
	KEEPS_MSR MSR_PAT, 0x00070406, 0x01050406, 18
	WRITE_MSR MSR_PAT, 0x02060606, 0x06060606
	EXPECT_ERROR VEC_GP, 0, 19
	/*
	 * RDTSCP and its MSR, both or none; unless CPUID is the host's, which offers what the host has: there KVM shadows in
	 * software, and the CPU has no faulting CPUID (docs/hosts.md).
	 */
	mov $0x40000000, %eax
	cpuid
	cmp $0x6d6f6e47, %ebx		/* "Gnom" */
	jne 3f
	ASK_CPUID 0x80000001
	OFFERED r11d, 27
	KEEPS_MSR MSR_TSC_AUX, 0x1234, 0, 20
	xor %ecx, %ecx
	TRY rdtscp
	EXPECT NONE, 21
	cmp $0x1234, %ecx
	CHECK e, 22
	RUN time_and_number
	EXPECT VEC_UD, 23
	cmp $0x1234, %r12d
	CHECK e, 24
	jmp 3f
2:	WRITE_MSR MSR_TSC_AUX, 0x1234, 0
	EXPECT_ERROR VEC_GP, 0, 25
3:	EXIT 0

time:	rdtsc
	ud2
time_and_number:
	rdtscp
	mov %ecx, %r12d
	ud2
