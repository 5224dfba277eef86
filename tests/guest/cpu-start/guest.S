/* SPDX-License-Identifier: MIT */
/* A started CPU has the requested RIP, RSP, RDI and CR3, and the CR0, CR4 and EFER of the boot CPU. */
#include "guest.inc"

start:
	mov %cr4, %rax
	or $CR4_PGE, %rax
	mov %rax, %cr4
	START_CPU request
	WAIT_FOR done
	EXIT 0

ap:
	pushfq /* before any comparison */
	pop %rbx
	cmp $ap_stack_top, %rsp
	CHECK e, 1
	mov $0x123456789a, %rax
	cmp %rax, %rdi
	CHECK e, 2
	cmp $RFLAGS_FIXED, %rbx
	CHECK e, 3
	mov %cr0, %rax
	mov $(CR0_PE | CR0_NE | CR0_ET | CR0_PG | CR0_WP), %ecx
	cmp %rcx, %rax
	CHECK e, 4
	mov %cr4, %rax
	cmp $(CR4_PAE | CR4_PGE), %rax
	CHECK e, 5
	mov $MSR_EFER, %ecx
	rdmsr
	cmp $(EFER_LME | EFER_LMA | EFER_NXE), %eax
	CHECK e, 6
	mov %cr3, %rax
	cmp %rax, request + 24
	CHECK e, 7
	mov %cs, %eax
	cmp $GNOMON_BOOT_CS, %ax
	CHECK e, 8
	mov %ss, %eax
	cmp $GNOMON_BOOT_DS, %ax
	CHECK e, 9
	movl $1, done
1:	pause
	jmp 1b

	.data
done:	.long 0
CPU_START_REQUEST request, GNOMON_ABI_VERSION, 1, ap
